// The JSON form of an instruction's arguments: `["word", "word"]`.
import { isSpace, trimStart } from "./text.ts";

/** The words of a JSON array; undefined when `text` is no JSON array; a string says what is wrong with the array. */
export function parseJsonForm(text: string): readonly string[] | string | undefined {
  const body = trimStart(text);
  if (!body.startsWith("[") || !closes(body)) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return undefined;
  }
  if (!Array.isArray(parsed) || parsed.some(isTooLarge)) return undefined;
  if (!parsed.every((one): one is string => typeof one === "string")) {
    return "when using JSON array syntax, arrays must be comprised of strings only";
  }
  // Go replaces halves of a surrogate pair.
  return parsed.map((word) => word.replace(/\p{Cs}/gu, "\ufffd"));
}

/** Spares the attempt to parse the many lines of shell that begin with a test, `[ -f x ] && y`. */
function closes(body: string): boolean {
  let end = body.length - 1;
  while (end > 0 && isSpace(body.charCodeAt(end))) end--;
  return body[end] === "]";
}

/** A number beyond float64 makes Go's decoder give up, and so the shell form. */
function isTooLarge(value: unknown): boolean {
  return typeof value === "number" && !Number.isFinite(value);
}
