// The values that templates see: plain JSON values, and documents that also have the names of Go's fields.
import { isRecord } from "../../base/index.ts";

/** A document with Go's field names. Printed by `json` as it is; found by `.Name` with Go's names. */
export class Struct {
  /** As the document has it. */
  readonly json: unknown;
  /** By Go's names. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** What it prints by itself; undefined is its fields. */
  readonly text: string | undefined;

  constructor(json: unknown, fields: Readonly<Record<string, unknown>>, text?: string) {
    this.json = json;
    this.fields = fields;
    this.text = text;
  }
}

/** Go's fields of a kind of document: each with its member, and what the member is. */
export interface Shape {
  readonly [field: string]: {
    /** Name of the member; undefined for fields of an embedded struct, which are read from the same document. */
    readonly member: string;
    readonly shape?: Shape;
    /** The member is a list of such documents. */
    readonly list?: boolean;
    /** The member is a time, which prints as Go's do. */
    readonly time?: boolean;
    /** What Go has where the member is missing. */
    readonly zero?: unknown;
  };
}

/** Gives a document the names of `shape`. Null and undefined stay nothing. */
export function structOf(json: unknown, shape: Shape): Struct | undefined {
  if (!isRecord(json)) return undefined;
  const fields = Object.entries(shape).map(([name, { member, shape: inner, list, time, zero }]) => {
    const value = Object.hasOwn(json, member) ? json[member] : undefined;
    if (value === undefined || value === null) return [name, zero ?? null] as const;
    if (time && typeof value === "string")
      return [name, new Struct(value, {}, timeText(value))] as const;
    if (!inner) return [name, value] as const;
    if (list)
      return [name, Array.isArray(value) ? value.map((one) => structOf(one, inner)) : []] as const;
    return [name, structOf(value, inner)] as const;
  });
  return new Struct(json, Object.fromEntries(fields));
}

/** RFC 3339 as Go prints a time: `2026-01-02 03:04:05.6 +0000 UTC`. */
function timeText(value: string): string {
  const [, day, clock, fraction = "", zone = ""] =
    /^(\S+?)[Tt](\d\d:\d\d:\d\d)(\.\d+)?(Z|z|[+-]\d\d:\d\d)$/.exec(value) ?? [];
  if (day === undefined) return value;
  const offset = zone.replace(":", "");
  const named = /^[Zz]$/.test(zone) ? "+0000 UTC" : `${offset} ${offset}`;
  return `${day} ${clock}${fraction.replace(/\.?0+$/, "")} ${named}`;
}

/** A document with members in the order of `shape`, as Go writes a struct; what it does not name is sorted, as in maps. */
export function arranged(json: unknown, shape: Shape = {}): unknown {
  if (Array.isArray(json)) return json.map((one) => arranged(one, shape));
  if (!isRecord(json)) return json;
  const known = Object.values(shape).filter(({ member }) => Object.hasOwn(json, member));
  const others = sortedEntries(json).filter(([key]) => known.every(({ member }) => member !== key));
  return Object.fromEntries([
    ...known.map(({ member, shape: inner }) => [member, arranged(json[member], inner)] as const),
    ...others.map(([key, value]) => [key, arranged(value)] as const),
  ]);
}

/** What `json` prints. */
export function jsonOf(value: unknown): unknown {
  if (value instanceof Struct) return value.json;
  if (Array.isArray(value)) return value.map(jsonOf);
  if (isRecord(value))
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, jsonOf(inner)]));
  return value ?? null;
}

/** Whether Go's templates take it for true: not empty, not zero, not nothing. */
export function isTrue(value: unknown): boolean {
  if (value instanceof Struct) return true;
  if (Array.isArray(value)) return value.length > 0;
  if (isRecord(value)) return Object.keys(value).length > 0;
  return Boolean(value);
}

/** As fmt.Sprint writes it: `[a b]`, `map[k:v]`. */
export function textOf(value: unknown): string {
  if (value === undefined || value === null) return "<nil>";
  if (value instanceof Struct)
    return value.text ?? `{${Object.values(value.fields).map(textOf).join(" ")}}`;
  if (Array.isArray(value)) return `[${value.map(textOf).join(" ")}]`;
  if (isRecord(value)) {
    const entries = sortedEntries(value).map(([key, inner]) => `${key}:${textOf(inner)}`);
    return `map[${entries.join(" ")}]`;
  }
  if (typeof value === "number") return numberText(value);
  return String(value);
}

/** Members by name, as ranges and prints go through maps. */
export function sortedEntries(value: Readonly<Record<string, unknown>>): [string, unknown][] {
  return Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

/** As `%v` does: large and tiny ones with an exponent of at least two digits. */
function numberText(value: number): string {
  if (Number.isSafeInteger(value)) return String(value);
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e21))
    return value.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
  return String(value);
}
