// Values of attributes as targets hold them: checked and converted as the attribute says.
import { isKilnError } from "../../base/index.ts";
import {
  ConversionError,
  convert,
  Mapping,
  mistakeAt,
  type Range,
  Sequence,
  type Type,
  type Value,
} from "../hcl/index.ts";
import { entryOf, type Members, parseEntry } from "./entries.ts";
import type { EntryKind, Field } from "./target.ts";

const mapType: Type = { map: "string" };
const listType: Type = { list: "string" };

/** The value of one attribute; undefined for null. Throws `BAKE_INVALID` with the place. */
export function decodeField({ kind }: Pick<Field, "kind">, value: Value, range: Range): unknown {
  if (value === null) return undefined;
  switch (kind) {
    case "text":
      return checked(value, "string", range);
    case "flag":
      return checked(value, "bool", range);
    case "texts":
      return textsOf(value, range);
    case "map":
    case "nullableMap":
      return mapOf(value, kind === "nullableMap", range);
  }
  return entriesOf(kind, value, range);
}

function checked(value: Value, type: Type, range: Range): Value {
  try {
    return convert(value, type);
  } catch (error) {
    if (!(error instanceof ConversionError)) throw error;
    throw unsuitable(error.message, range);
  }
}

function unsuitable(why: string, range: Range): Error {
  return mistakeAt(range, "Unsuitable value type", `Unsuitable value: ${why}`);
}

function textsOf(value: Value, range: Range): readonly string[] {
  const list = checked(value, listType, range);
  const items = list instanceof Sequence ? list.items : [];
  if (items.includes(null)) throw unsuitable("null value is not allowed", range);
  return items as readonly string[];
}

function mapOf(
  value: Value,
  nullable: boolean,
  range: Range,
): Readonly<Record<string, string | null>> {
  const map = checked(value, mapType, range);
  const entries = map instanceof Mapping ? [...map.entries] : [];
  if (!nullable && entries.some(([, one]) => one === null))
    throw unsuitable("null value is not allowed", range);
  return Object.fromEntries(entries) as Record<string, string | null>;
}

/** A list whose elements are texts, objects, or nothing. */
function entriesOf(kind: EntryKind, value: Value, range: Range): readonly unknown[] {
  if (!(value instanceof Sequence)) throw unsuitable("list required", range);
  return value.items.flatMap((item) => {
    if (item === null || item === "") return [];
    try {
      if (item instanceof Mapping) return [entryOf(kind, membersOf(kind, item))];
      return parseEntry(kind, String(convert(item, "string")));
    } catch (error) {
      if (error instanceof ConversionError) throw unsuitable(error.message, range);
      if (isKilnError(error) && error.at === undefined) throw unsuitable(error.message, range);
      throw error;
    }
  });
}

function membersOf(kind: EntryKind, item: Mapping): Members {
  const entries = [...item.entries].flatMap(([key, value]): [string, string | string[]][] => {
    if (value === null) return [];
    try {
      if (kind === "ssh" && key === "paths") {
        const list = convert(value, listType);
        return [[key, list instanceof Sequence ? (list.items as string[]) : []]];
      }
      return [[key, String(convert(value, "string"))]];
    } catch (error) {
      if (!(error instanceof ConversionError)) throw error;
      throw new ConversionError(`attribute ${JSON.stringify(key)}: ${error.message}`);
    }
  });
  return Object.fromEntries(entries);
}
