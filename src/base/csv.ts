// One record of comma-separated values as Go's encoding/csv reads it, and as buildx writes it back.
import { KilnError } from "./errors.ts";

/**
 * The fields of the first record of `text`: fields that begin with `"` are quoted, `""` inside is one quote. A bare quote
 * elsewhere is an error, as in Go. Empty text has no fields.
 */
export function readCsv(text: string): string[] {
  if (text === "") return [];
  const fields: string[] = [];
  let at = 0;
  for (;;) {
    const field = text[at] === '"' ? readQuoted(text, at) : readBare(text, at);
    fields.push(field.value);
    if (text[field.end] !== ",") return fields;
    at = field.end + 1;
  }
}

interface Field {
  readonly value: string;
  /** Index of the comma, line end, or end of text after the field. */
  readonly end: number;
}

function readBare(text: string, start: number): Field {
  let end = start;
  while (end < text.length && text[end] !== "," && text[end] !== "\n") end++;
  const value = text.slice(start, end);
  if (value.includes('"')) throw malformed(text, `bare " in a field that is not quoted`);
  return { value: text[end] === "\n" && value.endsWith("\r") ? value.slice(0, -1) : value, end };
}

function readQuoted(text: string, start: number): Field {
  let value = "";
  let at = start + 1;
  for (;;) {
    const quote = text.indexOf('"', at);
    if (quote === -1) throw malformed(text, `a " is missing at the end`);
    value += text.slice(at, quote);
    if (text[quote + 1] !== '"') {
      const end = quote + 1;
      const next = text[end];
      if (next !== undefined && next !== "," && next !== "\n")
        throw malformed(text, `text after a closing "`);
      return { value, end };
    }
    value += '"';
    at = quote + 2;
  }
}

function malformed(text: string, why: string): KilnError {
  return new KilnError(
    "FLAG_INVALID",
    `malformed comma-separated value ${JSON.stringify(text)}: ${why}`,
  );
}

/** `key=value` pairs in the order given, each quoted where it holds a comma: the form buildx prints. */
export function writeCsv(pairs: readonly (readonly [key: string, value: string])[]): string {
  return pairs
    .map(([key, value]) =>
      key.includes(",") || value.includes(",") ? `"${key}=${value}"` : `${key}=${value}`,
    )
    .join(",");
}

/** A map's pairs sorted by key, for `writeCsv`. */
export function sortedPairs(attrs: Readonly<Record<string, string>>): [string, string][] {
  return Object.entries(attrs).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

/** Splits at the first `=`; undefined where there is none. */
export function cutPair(field: string): readonly [key: string, value: string] | undefined {
  const at = field.indexOf("=");
  return at === -1 ? undefined : [field.slice(0, at), field.slice(at + 1)];
}
