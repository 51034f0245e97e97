// Functions of regular expressions in RE2's syntax, run by JavaScript's engine; whoever evaluates limits their time.
import { FunctionError, type HclFunction } from "../function.ts";
import { Mapping, Sequence, type Value } from "../value.ts";
import type { Ambient } from "./index.ts";
import { list, simple, text } from "./signature.ts";

/** Matches that one call may find. */
const maxMatches = 100_000;

const classes: Readonly<Record<string, string>> = {
  alnum: "0-9A-Za-z",
  alpha: "A-Za-z",
  ascii: "\\x00-\\x7F",
  blank: "\\t ",
  cntrl: "\\x00-\\x1F\\x7F",
  digit: "0-9",
  graph: "!-~",
  lower: "a-z",
  print: " -~",
  punct: "!-\\/:-@\\[-`{-~",
  space: "\\t\\n\\v\\f\\r ",
  upper: "A-Z",
  word: "0-9A-Za-z_",
  xdigit: "0-9A-Fa-f",
};

/** RE2's syntax in JavaScript's. Throws `FunctionError` for what neither has. */
function compile(pattern: string, argument: number): RegExp {
  const head = /^\(\?([imsU]+)\)/.exec(pattern);
  const flags = new Set((head?.[1] ?? "").split("").filter((flag) => flag !== "U"));
  const body = pattern.slice(head?.[0].length ?? 0);
  try {
    return new RegExp(translated(body, argument), `g${[...flags].join("")}u`);
  } catch (error) {
    if (error instanceof FunctionError) throw error;
    throw new FunctionError(
      `invalid regular expression pattern: ${error instanceof Error ? error.message : String(error)}`,
      argument,
    );
  }
}

const pieces =
  /\\Q(.*?)(?:\\E|$)|\\([AzpPdDwWsSbB]|[^A-Za-z0-9]|.)|\[:(\^?)([a-z]+):\]|\(\?P<|\(\?(<?[=!])|[^\\]/gsu;

function translated(body: string, argument: number): string {
  return body.replace(pieces, (whole, quoted, escaped, negated, name, look) => {
    if (quoted !== undefined) return escapeText(quoted);
    if (look !== undefined)
      throw new FunctionError(
        `invalid regular expression pattern: invalid or unsupported Perl syntax: "(?${look}"`,
        argument,
      );
    if (escaped === "A") return "^";
    if (escaped === "z") return "$";
    if (escaped !== undefined && /[^A-Za-z0-9]/.test(escaped)) return escapeText(escaped);
    if (escaped !== undefined && /\d/.test(escaped) && escaped !== "0")
      throw new FunctionError(
        `invalid regular expression pattern: invalid escape sequence: \\${escaped}`,
        argument,
      );
    if (name !== undefined) {
      const found = classes[name];
      if (found === undefined || negated)
        throw new FunctionError(
          "invalid regular expression pattern: invalid character class",
          argument,
        );
      return found;
    }
    if (whole === "(?P<") return "(?<";
    return whole;
  });
}

function escapeText(value: string): string {
  return value.replace(/[\\^$.*+?()[\]{}|/-]/g, (char) => `\\${char}`);
}

/** Without groups the text, with names an object, else a tuple. */
function found(match: RegExpExecArray): Value {
  const { groups } = match;
  if (groups)
    return new Mapping(
      "object",
      Object.entries(groups).map(([name, value]) => [name, value ?? null] as const),
    );
  if (match.length === 1) return match[0];
  return new Sequence(
    "tuple",
    match.slice(1).map((value) => value ?? null),
  );
}

type Limited = Ambient["limited"];

function matches(pattern: RegExp, value: string, limited: Limited): RegExpExecArray[] {
  return limited(() => {
    const all: RegExpExecArray[] = [];
    for (const match of value.matchAll(pattern)) {
      if (all.length >= maxMatches) throw new FunctionError("too many matches");
      all.push(match);
    }
    return all;
  });
}

/** Go's templates of replacements: `$1`, `${1}`, `$name`; `$$` is a dollar. */
function expand(template: string, match: RegExpExecArray): string {
  return template.replace(/\$(?:\$|(\w+)|\{(\w+)\})/g, (whole, plain, braced) => {
    if (whole === "$$") return "$";
    const name = plain ?? braced;
    return (/^\d+$/.test(name) ? match[Number(name)] : match.groups?.[name]) ?? "";
  });
}

function replaced(value: string, pattern: RegExp, template: string, limited: Limited): string {
  let result = "";
  let at = 0;
  for (const match of matches(pattern, value, limited)) {
    result += value.slice(at, match.index) + expand(template, match);
    at = match.index + match[0].length;
    if (result.length > 16 << 20) throw new FunctionError("the result is too long");
  }
  return result + value.slice(at);
}

/** The engine cannot be interrupted by what runs in it: `limited` ends what takes too long. */
export function patternFunctions({ limited }: Ambient): Readonly<Record<string, HclFunction>> {
  return {
    regex: simple([text("pattern"), text("string")], ([pattern, string]) => {
      const compiled = compile(String(pattern), 0);
      const match = limited(() => compiled.exec(String(string)));
      if (match) return found(match);
      throw new FunctionError("pattern did not match any part of the given string");
    }),
    regexall: simple([text("pattern"), text("string")], ([pattern, string]) => {
      const all = matches(compile(String(pattern), 0), String(string), limited);
      return all.every(({ length }) => length === 1)
        ? list(all.map(found))
        : new Sequence("list", all.map(found));
    }),
    regex_replace: simple(
      [text("str"), text("pattern"), text("replace")],
      ([str, pattern, template]) =>
        replaced(String(str), compile(String(pattern), 1), String(template), limited),
    ),
  };
}
