// Splitting an instruction's line: keyword, flags, and what remains for the keyword's own rules.
import type { EscapeToken } from "./directives.ts";
import { isBlank, isSpace, trimSpace } from "./text.ts";

/** A line in its three parts. */
export interface SplitLine {
  readonly keyword: string;
  readonly flags: readonly string[];
  readonly rest: string;
}

export function splitLine(line: string): SplitLine {
  const text = trimSpace(line);
  let end = 0;
  while (end < text.length && !isBlank(text.charCodeAt(end))) end++;
  let at = end;
  while (at < text.length && isBlank(text.charCodeAt(at))) at++;
  const { flags, end: rest } = splitFlags(text, at);
  return { keyword: text.slice(0, end), flags, rest: trimSpace(text.slice(rest)) };
}

/** Takes words that begin with `--` from the front, up to a word `--` alone; quotes and backslashes are resolved. */
function splitFlags(
  line: string,
  from: number,
): { readonly flags: readonly string[]; readonly end: number } {
  let flags: string[] | undefined;
  for (let at = from; ; ) {
    while (at < line.length && isSpace(line.charCodeAt(at))) at++;
    if (!line.startsWith("--", at)) return { flags: flags ?? none, end: at };
    const word = flagWord(line, at);
    at = word.end;
    if (word.value === "--") return { flags: flags ?? none, end: at };
    if (flags === undefined) flags = [word.value];
    else flags.push(word.value);
  }
}

/** Shared by all lines without flags. */
const none: readonly never[] = [];

function flagWord(line: string, from: number): { value: string; end: number } {
  let at = from;
  while (at < line.length && isPlainFlag(line.charCodeAt(at))) at++;
  // Most flags are without quotes and escapes, and a part of the line.
  let value = line.slice(from, at);
  let quote = "";
  for (; at < line.length; at++) {
    const char = line[at] ?? "";
    if (quote === "" && isSpace(line.charCodeAt(at))) break;
    if (quote === "" && (char === "'" || char === '"')) quote = char;
    else if (char === quote) quote = "";
    // A backslash at the very end is dropped.
    else if (char === "\\") value += line[++at] ?? "";
    else value += char;
  }
  return { value, end: at };
}

/** A printable ASCII character that is no blank, quote or backslash. */
function isPlainFlag(char: number): boolean {
  return char > 0x20 && char < 0x7f && char !== 0x22 && char !== 0x27 && char !== 0x5c;
}

/** The words of ENV, LABEL and ARG: quotes keep blanks together, and quotes and escapes stay as written. */
export function splitPairs(rest: string, token: EscapeToken): readonly string[] {
  const words: string[] = [];
  for (let at = 0; ; ) {
    while (at < rest.length && isSpace(rest.charCodeAt(at))) at++;
    if (at >= rest.length) return words;
    const word = pairWord(rest, at, token);
    if (word.value !== "") words.push(word.value);
    at = word.end;
  }
}

function pairWord(rest: string, from: number, token: EscapeToken): { value: string; end: number } {
  let quote = "";
  let at = from;
  let dropped = false;
  for (; at < rest.length; at++) {
    const char = rest[at] ?? "";
    if (quote === "" && isSpace(rest.charCodeAt(at))) break;
    if (quote === "" && (char === "'" || char === '"')) quote = char;
    else if (char === quote) quote = "";
    // Nothing can be escaped between single quotes.
    else if (char === token && quote !== "'") {
      if (at + 1 === rest.length) dropped = true;
      else at++;
    }
  }
  return { value: rest.slice(from, dropped ? rest.length - 1 : at), end: at };
}
