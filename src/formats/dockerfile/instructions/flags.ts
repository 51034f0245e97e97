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
  const { flags } = request.node;
  if (flags.length === 0) return unset as FlagValues<Table>;
  const values: Record<string, FlagValue> = { ...unset };
  // Flags that may be given once.
  const used: string[] = [];
  for (const flag of flags) {
    const name = flagName(flag);
    const value = flag.length === name.length + 2 ? undefined : flag.slice(name.length + 3);
    const kind: FlagKind | undefined = Object.hasOwn(table, name) ? table[name] : undefined;
    if (kind === undefined) {
      request.note(unknownFlag(name, Object.keys(table)));
      continue;
    }
    const mistake = checkFlag(flag, value, kind, used);
    if (kind !== "list" && !used.includes(name)) used.push(name);
    if (mistake !== undefined) request.note(mistake);
    else if (kind === "boolean")
      values[name] = value === undefined || value.toLowerCase() === "true";
    else if (kind === "text") values[name] = value ?? "";
    else if (values[name] === unset[name]) values[name] = [value ?? ""];
    else (values[name] as string[]).push(value ?? "");
  }
  return values as FlagValues<Table>;
}

/** What stands between `--` and the `=`. */
function flagName(flag: string): string {
  const sign = flag.indexOf("=");
  return flag.slice(2, sign === -1 ? undefined : sign);
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

/** Names of the flags of the table that were given, each once, in the order of their first use. */
export function usedFlags(
  { node }: Request,
  table: Readonly<Record<string, FlagKind>>,
): readonly string[] {
  const used: string[] = [];
  for (const flag of node.flags) {
    const name = flagName(flag);
    if (Object.hasOwn(table, name) && !used.includes(name)) used.push(name);
  }
  return used;
}

function checkFlag(
  flag: string,
  value: string | undefined,
  kind: FlagKind,
  used: readonly string[],
): Mistake | undefined {
  const name = flagName(flag);
  if (used.includes(name)) {
    return new Mistake(`duplicate flag specified: ${name}`, { word: flag });
  }
  if (kind === "boolean" ? value === "" : value === undefined) {
    const hint =
      kind === "boolean" ? `Write --${name} or --${name}=false.` : `Write --${name}=<value>.`;
    return new Mistake(`missing a value on flag: ${name}`, { word: flag, hint });
  }
  if (kind !== "boolean" || value === undefined || /^(?:true|false)$/i.test(value))
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
