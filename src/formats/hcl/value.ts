// HCL's values: strings, numbers and booleans are JavaScript's own; sequences and mappings know which kind they are.

/** Ordered (`list`, `tuple`) or sorted and without doubles (`set`). */
export class Sequence {
  readonly kind: "list" | "set" | "tuple";
  readonly items: readonly Value[];

  constructor(kind: "list" | "set" | "tuple", items: readonly Value[]) {
    this.kind = kind;
    this.items = kind === "set" ? distinctSorted(items) : items;
  }
}

/** Values by name, in the order of the names, as HCL goes through them. */
export class Mapping {
  readonly kind: "map" | "object";
  readonly entries: ReadonlyMap<string, Value>;

  constructor(kind: "map" | "object", entries: Iterable<readonly [string, Value]>) {
    this.kind = kind;
    this.entries = new Map([...new Map(entries)].sort(([a], [b]) => compareText(a, b)));
  }
}

export type Value = null | string | number | boolean | Sequence | Mapping;

/** By code points, as Go compares strings. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  const [left, right] = [Array.from(a), Array.from(b)];
  for (const [at, char] of left.entries()) {
    const other = right[at];
    if (other === undefined) return 1;
    if (char !== other) return (char.codePointAt(0) ?? 0) - (other.codePointAt(0) ?? 0);
  }
  return left.length - right.length;
}

/** True where both are the same kind of value with the same contents; a list is no tuple only to the type system. */
export function equalValues(a: Value, b: Value): boolean {
  if (a instanceof Sequence && b instanceof Sequence) {
    if ((a.kind === "set") !== (b.kind === "set") || a.items.length !== b.items.length)
      return false;
    return a.items.every((item, at) => equalValues(item, b.items[at] ?? null));
  }
  if (a instanceof Mapping && b instanceof Mapping) {
    if (a.entries.size !== b.entries.size) return false;
    return [...a.entries].every(([key, value]) => {
      const other = b.entries.get(key);
      return other !== undefined && equalValues(value, other);
    });
  }
  return a === b;
}

function distinctSorted(items: readonly Value[]): readonly Value[] {
  const kept = new Map<string, Value>();
  for (const item of items) kept.set(valueKey(item), item);
  return [...kept.values()].sort(compareValues);
}

/** Equal for equal values only. */
export function valueKey(value: Value): string {
  if (value instanceof Sequence)
    return `${value.kind === "set" ? "{" : "["}${value.items.map(valueKey).join(",")}]`;
  if (value instanceof Mapping) {
    const inner = [...value.entries].map(([key, one]) => `${JSON.stringify(key)}:${valueKey(one)}`);
    return `{${inner.join(",")}}`;
  }
  return value === null ? "null" : `${typeof value} ${JSON.stringify(value)}`;
}

function compareValues(a: Value, b: Value): number {
  if (typeof a === "string" && typeof b === "string") return compareText(a, b);
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (typeof a === "boolean" && typeof b === "boolean") return Number(a) - Number(b);
  return compareText(valueKey(a), valueKey(b));
}

/** As HCL names types to people: `string`, `tuple`, `list of string`. */
export function typeName(value: Value): string {
  if (value === null) return "dynamic";
  if (value instanceof Mapping)
    return value.kind === "object"
      ? "object"
      : `map of ${elementName([...value.entries.values()])}`;
  if (value instanceof Sequence)
    return value.kind === "tuple" ? "tuple" : `${value.kind} of ${elementName(value.items)}`;
  return typeof value === "boolean" ? "bool" : typeof value;
}

function elementName(items: readonly Value[]): string {
  const found = items.find((item) => item !== null);
  return found === undefined ? "dynamic" : typeName(found);
}

/** A number's text: never with an exponent. */
export function numberText(value: number): string {
  if (Object.is(value, -0)) return "0";
  const text = String(value);
  if (!text.includes("e")) return text;
  if (Number.isInteger(value)) return BigInt(value).toString();
  const [digits = "", exponent = "0"] = text.split("e");
  const shift = -Number(exponent);
  const sign = digits.startsWith("-") ? "-" : "";
  return `${sign}0.${"0".repeat(shift - 1)}${digits.replace(/[-.]/g, "")}`;
}

/** Results of arithmetic lose the noise that binary fractions add: 0.1 + 0.2 is 0.3. */
export function settled(value: number): number {
  return Number.isInteger(value) || !Number.isFinite(value) ? value : Number(value.toPrecision(15));
}

/** The value as JSON has it, with members in the order of their names. */
export function toJson(value: Value): unknown {
  if (value instanceof Sequence) return value.items.map(toJson);
  if (value instanceof Mapping)
    return Object.fromEntries([...value.entries].map(([key, one]) => [key, toJson(one)]));
  return value;
}

/** What a JSON document holds: arrays are tuples, objects are objects. */
export function fromJson(json: unknown): Value {
  if (Array.isArray(json)) return new Sequence("tuple", json.map(fromJson));
  if (typeof json === "object" && json !== null)
    return new Mapping(
      "object",
      Object.entries(json).map(([key, one]) => [key, fromJson(one)] as const),
    );
  return typeof json === "string" || typeof json === "number" || typeof json === "boolean"
    ? json
    : null;
}
