// Functions of text: go-cty's, with the same results.
import { FunctionError, type HclFunction } from "../function.ts";
import { Sequence, type Value } from "../value.ts";
import { list, simple, text } from "./signature.ts";

const segmenter = new Intl.Segmenter("und", { granularity: "grapheme" });

/** What people see as characters. */
function graphemes(value: string): string[] {
  return Array.from(segmenter.segment(value), ({ segment }) => segment);
}

function trimSet(value: string, cutset: string, start: boolean, end: boolean): string {
  const chars = Array.from(value);
  const set = new Set(Array.from(cutset));
  let from = 0;
  let to = chars.length;
  while (start && from < to && set.has(chars[from] ?? "")) from++;
  while (end && to > from && set.has(chars[to - 1] ?? "")) to--;
  return chars.slice(from, to).join("");
}

/** The part that begins at `offset`, counted from the end where it is negative; -1 is to the end. */
function substr(value: string, offset: number, length: number): string {
  const all = graphemes(value);
  const from = offset < 0 ? Math.max(0, all.length + offset) : offset;
  const part = length < 0 ? all.slice(from) : all.slice(from, from + length);
  return part.join("");
}

const digitPattern = /^[0-9a-zA-Z]+$/;

function parseInteger(value: string, base: number): number {
  if (base < 2 || base > 62)
    throw new FunctionError("base must be a whole number between 2 and 62 inclusive", 1);
  const [, sign = "", digits = ""] = /^([+-]?)(.*)$/s.exec(value) ?? [];
  let sum = 0n;
  const valid = digitPattern.test(digits);
  for (const char of valid ? digits : "!") {
    const digit = digitOf(char, base);
    if (digit < 0 || digit >= base) {
      throw new FunctionError(`cannot parse ${JSON.stringify(value)} as a base ${base} integer`, 0);
    }
    sum = sum * BigInt(base) + BigInt(digit);
  }
  return Number(sign === "-" ? -sum : sum);
}

function digitOf(char: string, base: number): number {
  if (/[0-9]/.test(char)) return Number(char);
  const code = char.charCodeAt(0);
  if (/[a-z]/.test(char)) return code - 97 + 10;
  // Capitals are further digits only where small letters do not suffice.
  if (/[A-Z]/.test(char)) return code - 65 + (base > 36 ? 36 : 10);
  return -1;
}

/** Words of a title begin with capitals; a word ends where no letter, digit or underscore stands. */
function title(value: string): string {
  return value.replace(
    /(^|[^\p{L}\p{N}_])(\p{Ll})/gu,
    (_, before: string, letter: string) => before + letter.toUpperCase(),
  );
}

function joinLists(separator: string, lists: readonly Value[]): string {
  const items = lists.flatMap((one, at) => {
    if (!(one instanceof Sequence)) return [];
    const missing = one.items.indexOf(null);
    if (missing >= 0)
      throw new FunctionError(
        `element ${missing} of list ${at} is null; cannot concatenate null values`,
        at + 1,
      );
    return one.items as string[];
  });
  return items.join(separator);
}

export const stringFunctions: Readonly<Record<string, HclFunction>> = {
  chomp: simple([text("str")], ([str]) => String(str).replace(/(\r\n|\r|\n)+$/, "")),
  indent: simple([{ name: "spaces", type: "number" }, text("str")], ([spaces, str]) => {
    if (Number(spaces) > 1000) throw new FunctionError("at most 1000 spaces", 0);
    return String(str).replaceAll("\n", `\n${" ".repeat(Math.max(0, Number(spaces)))}`);
  }),
  join: {
    params: [text("separator")],
    rest: { name: "lists", type: { list: "string" } },
    call: ([separator, ...lists], spend) => {
      const joined = joinLists(String(separator), lists);
      spend(joined.length >> 6);
      return joined;
    },
  },
  lower: simple([text("str")], ([str]) => String(str).toLowerCase()),
  parseint: simple(
    [
      { name: "number", type: "any" },
      { name: "base", type: "number" },
    ],
    ([number, base]) => {
      if (typeof number !== "string" && typeof number !== "number")
        throw new FunctionError("a string or number is required", 0);
      return parseInteger(String(number), Number(base));
    },
  ),
  replace: simple([text("str"), text("substr"), text("replace")], ([str, from, to]) => {
    const [value, with_] = [String(str), String(to)];
    const parts = value.split(String(from));
    if (parts.length * with_.length > 16 << 20) throw new FunctionError("the result is too long");
    return from === ""
      ? `${with_}${Array.from(value)
          .map((char) => char + with_)
          .join("")}`
      : parts.join(with_);
  }),
  reverse: simple([text("str")], ([str]) => graphemes(String(str)).reverse().join("")),
  split: simple([text("separator"), text("str")], ([separator, str]) =>
    list(separator === "" ? graphemes(String(str)) : String(str).split(String(separator))),
  ),
  strlen: simple([text("str")], ([str]) => graphemes(String(str)).length),
  substr: simple(
    [text("str"), { name: "offset", type: "number" }, { name: "length", type: "number" }],
    ([str, offset, length]) => substr(String(str), Number(offset), Number(length)),
  ),
  title: simple([text("str")], ([str]) => title(String(str))),
  trim: simple([text("str"), text("cutset")], ([str, set]) =>
    trimSet(String(str), String(set), true, true),
  ),
  trimprefix: simple([text("str"), text("prefix")], ([str, prefix]) => {
    const value = String(str);
    return value.startsWith(String(prefix)) ? value.slice(String(prefix).length) : value;
  }),
  trimspace: simple([text("str")], ([str]) => String(str).trim()),
  trimsuffix: simple([text("str"), text("suffix")], ([str, suffix]) => {
    const value = String(str);
    return suffix !== "" && value.endsWith(String(suffix))
      ? value.slice(0, -String(suffix).length)
      : value;
  }),
  upper: simple([text("str")], ([str]) => String(str).toUpperCase()),
  sanitize: simple([text("name")], ([name]) => String(name).replace(/[^a-zA-Z0-9_-]/g, "_")),
  basename: simple([text("path")], ([path]) => baseName(String(path))),
  dirname: simple([text("path")], ([path]) => directoryName(String(path))),
};

/** Go's filepath.Base. */
function baseName(path: string): string {
  if (path === "") return ".";
  const trimmed = path.replace(/\/+$/, "");
  return trimmed === "" ? "/" : trimmed.slice(trimmed.lastIndexOf("/") + 1);
}

/** Go's filepath.Dir: cleaned. */
function directoryName(path: string): string {
  const parent = path.slice(0, path.lastIndexOf("/") + 1);
  const isAbsolute = parent.startsWith("/");
  const parts: string[] = [];
  for (const part of parent.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.length > 0 && parts.at(-1) !== "..") parts.pop();
    else if (!isAbsolute) parts.push("..");
  }
  const joined = parts.join("/");
  return isAbsolute ? `/${joined}` : joined || ".";
}
