// Variables in Compose files (compose-spec, Interpolation), and files of variables (.env).
import { KilnError } from "../../../base/index.ts";

export type Variables = Readonly<Record<string, string | undefined>>;

/** Defaults in defaults. */
const maxDepth = 50;
/** Longest text that one value may become. */
const maxLength = 1 << 20;

/** The text with `$NAME` and `${NAME…}` replaced; `$$` is a dollar. Throws `BAKE_INVALID`. */
export function interpolate(text: string, variables: Variables, depth = 0): string {
  if (!text.includes("$")) return text;
  if (depth > maxDepth) throw invalid(text, "defaults are nested too deep");
  let result = "";
  for (let at = 0; at < text.length; ) {
    const char = text[at] ?? "";
    if (char !== "$") {
      result += char;
      at++;
    } else if (text[at + 1] === "$") {
      result += "$";
      at += 2;
    } else if (text[at + 1] === "{") {
      const end = closingBrace(text, at + 2);
      result += braced(text.slice(at + 2, end), variables, depth);
      at = end + 1;
    } else {
      const [name = ""] = /^[A-Za-z_]\w*/.exec(text.slice(at + 1)) ?? [];
      if (name === "") throw invalid(text, "a $ that is no variable is written $$");
      result += variables[name] ?? "";
      at += 1 + name.length;
    }
    if (result.length > maxLength) throw invalid(text.slice(0, 100), "the result is too long");
  }
  return result;
}

function closingBrace(text: string, start: number): number {
  let depth = 1;
  for (let at = start; at < text.length; at++) {
    if (text.startsWith("${", at)) depth++;
    if (text[at] === "}" && --depth === 0) return at;
  }
  throw invalid(text, "a } is missing");
}

function braced(inner: string, variables: Variables, depth: number): string {
  const [, name = "", operator = "", word = ""] =
    /^([A-Za-z_]\w*)(:?[-?+])?(.*)$/s.exec(inner) ?? [];
  if (name === "" || (operator === "" && word !== ""))
    throw invalid(`\${${inner}}`, "this is no variable");
  const value = variables[name];
  const isSet = operator.startsWith(":")
    ? value !== undefined && value !== ""
    : value !== undefined;
  switch (operator.at(-1)) {
    case "-":
      return isSet ? (value ?? "") : interpolate(word, variables, depth + 1);
    case "+":
      return isSet ? interpolate(word, variables, depth + 1) : "";
    case "?":
      if (isSet) return value ?? "";
      throw new KilnError(
        "BAKE_INVALID",
        `required variable ${name} is missing a value: ${interpolate(word, variables, depth + 1)}`,
      );
  }
  return value ?? "";
}

function invalid(text: string, why: string): KilnError {
  return new KilnError(
    "BAKE_INVALID",
    `invalid interpolation format for ${JSON.stringify(text)}: ${why}`,
    {
      hint: "Write $NAME, or $$ for a dollar.",
    },
  );
}

/** What a `.env` file says: `NAME=value`, quoted or not, with comments. Later lines see earlier ones. */
export function parseEnvFile(text: string, around: Variables): Variables {
  const found: Record<string, string> = {};
  const pattern =
    /^[ \t]*(?:export[ \t]+)?([A-Za-z_][\w.-]*)[ \t]*[=:][ \t]*(?:'([^']*)'|"((?:[^"\\]|\\.)*)"|([^\n]*))/gm;
  for (const [, name = "", single, double, bare = ""] of text.matchAll(pattern)) {
    const known = { ...found, ...definedOf(around) };
    if (single !== undefined) found[name] = single;
    else if (double !== undefined) found[name] = interpolate(withoutEscapes(double), known);
    else found[name] = interpolate(bare.replace(/(^|\s)#.*$/, "").trim(), known);
  }
  return found;
}

function definedOf(variables: Variables): Record<string, string> {
  return Object.fromEntries(
    Object.entries(variables).filter((pair): pair is [string, string] => pair[1] !== undefined),
  );
}

function withoutEscapes(text: string): string {
  const letters: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t" };
  return text.replace(/\\(.)/gs, (_, char: string) => letters[char] ?? char);
}
