// Functions between text and JSON, base64, CSV and URLs.
import { Buffer } from "node:buffer";
import { goJson } from "../../../base/index.ts";
import { FunctionError, type HclFunction } from "../function.ts";
import { ConversionError, convert, readType, type Type } from "../types.ts";
import { fromJson, Mapping, numberText, Sequence, toJson, type Value } from "../value.ts";
import { any, nullable, simple, text } from "./signature.ts";

function decodeBase64(value: string): string {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(value) || value.length % 4 !== 0)
    throw new FunctionError("failed to decode base64 data", 0);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.from(value, "base64"));
  } catch {
    throw new FunctionError("the result of decoding the provided string is not valid UTF-8", 0);
  }
}

/** Rows of CSV as Go reads them: quoted fields may hold anything, empty lines nothing. */
function csvRows(value: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  const pattern = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/gy;
  for (let match = pattern.exec(value); match; match = pattern.exec(value)) {
    const [, quoted, bare = "", end] = match;
    const isEmptyLine = row.length === 0 && quoted === undefined && bare === "" && end !== ",";
    if (!isEmptyLine) row.push(quoted?.replaceAll('""', '"') ?? bare);
    if (end !== "," && row.length > 0) {
      rows.push(row);
      row = [];
    }
    if (end === "" || pattern.lastIndex >= value.length) {
      if (end === ",") rows.push([...row, ""]);
      return rows;
    }
  }
  throw new FunctionError("the text is not valid CSV", 0);
}

function csvDecode(value: string): Value {
  const [head, ...rows] = csvRows(value);
  if (!head) throw new FunctionError("missing header line", 0);
  if (new Set(head).size !== head.length)
    throw new FunctionError("duplicate column name in the header", 0);
  const objects = rows.map((row) => {
    if (row.length !== head.length)
      throw new FunctionError("record on line has the wrong number of fields", 0);
    return new Mapping(
      "object",
      head.map((name, at) => [name, row[at] ?? ""] as const),
    );
  });
  return new Sequence("list", objects);
}

/** Go's url.QueryEscape. */
function urlEncode(value: string): string {
  return encodeURIComponent(value)
    .replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll("%20", "+");
}

/** The value as HCL's JSON has it: numbers keep all their digits. */
export function jsonText(value: Value): string {
  if (typeof value === "number") return numberText(value);
  if (value instanceof Sequence) return `[${value.items.map(jsonText).join(",")}]`;
  if (!(value instanceof Mapping)) return goJson(toJson(value));
  const members = [...value.entries].map(([key, one]) => `${goJson(key)}:${jsonText(one)}`);
  return `{${members.join(",")}}`;
}

function decodeJson(value: string): Value {
  try {
    return fromJson(JSON.parse(value));
  } catch {
    throw new FunctionError("the text is not valid JSON", 0);
  }
}

function tryConvert(value: Value, type: Type): Value {
  try {
    return convert(value, type);
  } catch (error) {
    if (error instanceof ConversionError) throw new FunctionError(error.message, 0);
    throw error;
  }
}

export const encodingFunctions: Readonly<Record<string, HclFunction>> = {
  base64decode: simple([text("str")], ([str]) => decodeBase64(String(str))),
  base64encode: simple([text("str")], ([str]) => Buffer.from(String(str)).toString("base64")),
  convert: {
    params: [any("value"), any("type")],
    call: () => null,
    expressions: (args, scope, fail) => {
      const [value, type] = args;
      if (!value || !type || args.length !== 2)
        throw fail("Invalid arguments", 'Function "convert" expects a value and a type.');
      return tryConvert(scope(value), readType(type));
    },
  },
  csvdecode: simple([text("str")], ([str]) => csvDecode(String(str))),
  jsondecode: simple([text("str")], ([str]) => decodeJson(String(str))),
  jsonencode: simple([nullable("val")], ([value], spend) => {
    const encoded = jsonText(value ?? null);
    spend(encoded.length >> 6);
    return encoded;
  }),
  urlencode: simple([text("str")], ([str]) => urlEncode(String(str))),
};
