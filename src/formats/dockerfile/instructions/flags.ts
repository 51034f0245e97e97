// Instruction flags: `--name=value` words checked against a table of what the instruction knows.
import { closest } from "../../../base/index.ts";
import { Mistake, type Request } from "./instruction.ts";

/** `text` takes one value, `list` one value each time it is given, `boolean` may stand without a value. */
export type FlagKind = "text" | "list" | "boolean";

/** Values by flag: "" for a text flag and undefined for a boolean that is not given. */
export type FlagValues<Table extends Readonly<Record<string, FlagKind>>> = {
  readonly [Name in keyof Table]: Table[Name] extends "boolean"
    ? boolean | undefined
    : Table[Name] extends "list"
      ? readonly string[]
      : string;
};

/** Reads the instruction's flags. Every wrong flag is noted; the value of a wrong flag is as if it was not given. */
export function readFlags<const Table extends Readonly<Record<string, FlagKind>>>(
  request: Request,
  table: Table,
): FlagValues<Table> {
  const unset = unsetValues(table);
  if (request.node.flags.length === 0) return unset as FlagValues<Table>;
  const values: Record<string, FlagValue> = { ...unset };
  const used: string[] = [];
  for (const flag of request.node.flags) {
    const sign = flag.indexOf("=");
    const name = flag.slice(2, sign === -1 ? undefined : sign);
    const value = sign === -1 ? undefined : flag.slice(sign + 1);
    const kind: FlagKind | undefined = Object.hasOwn(table, name) ? table[name] : undefined;
    const mistake = checkFlag(flag, value, kind, used, Object.keys(table));
    used.push(name);
    if (mistake !== undefined) request.note(mistake);
    else if (kind === "boolean")
      values[name] = value === undefined || value.toLowerCase() === "true";
    else if (kind === "list") values[name] = [...(values[name] as readonly string[]), value ?? ""];
    else values[name] = value ?? "";
  }
  return values as FlagValues<Table>;
}

type FlagValue = string | readonly string[] | boolean | undefined;

const unsetByTable = new WeakMap<object, Readonly<Record<string, FlagValue>>>();

/** The values of flags that are not given, worked out once a table. */
function unsetValues(
  table: Readonly<Record<string, FlagKind>>,
): Readonly<Record<string, FlagValue>> {
  const known = unsetByTable.get(table);
  if (known) return known;
  const values: Record<string, FlagValue> = {};
  for (const [name, kind] of Object.entries(table)) {
    values[name] = kind === "list" ? [] : kind === "text" ? "" : undefined;
  }
  unsetByTable.set(table, values);
  return values;
}

const noTable = {} as const;

/** Complains about every flag: for instructions that have none. */
export function noFlags(request: Request): void {
  readFlags(request, noTable);
}

/** Names of the flags that were given, each once, in the order of their first use. */
export function usedFlags(request: Request): readonly string[] {
  if (request.node.flags.length === 0) return [];
  return [...new Set(request.node.flags.map((flag) => flag.slice(2).split("=", 1)[0] ?? ""))];
}

function checkFlag(
  flag: string,
  value: string | undefined,
  kind: FlagKind | undefined,
  used: readonly string[],
  known: readonly string[],
): Mistake | undefined {
  const name = flag.slice(2).split("=", 1)[0] ?? "";
  if (kind === undefined) return unknownFlag(name, known);
  if (used.includes(name) && kind !== "list") {
    return new Mistake(`duplicate flag specified: ${name}`, { word: flag });
  }
  const lower = value?.toLowerCase();
  if (kind === "boolean" ? value === "" : value === undefined) {
    const hint =
      kind === "boolean" ? `Write --${name} or --${name}=false.` : `Write --${name}=<value>.`;
    return new Mistake(`missing a value on flag: ${name}`, { word: flag, hint });
  }
  if (kind !== "boolean" || lower === undefined || lower === "true" || lower === "false")
    return undefined;
  return new Mistake(`expecting boolean value for flag ${name}, not: ${value}`, {
    word: flag,
    hint: `Write --${name}, --${name}=true or --${name}=false.`,
  });
}

function unknownFlag(name: string, known: readonly string[]): Mistake {
  const near = closest(name, known);
  const list = known.map((flag) => `--${flag}`).join(", ");
  const hint =
    near !== undefined
      ? `Did you mean --${near}?`
      : known.length === 0
        ? "This instruction takes no flags."
        : `Flags of this instruction: ${list}.`;
  return new Mistake(`unknown flag: --${name}`, { word: `--${name}`, hint });
}
