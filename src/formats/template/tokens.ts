// Splits a template in text and actions, and an action in words (text/template/parse, lex.go).
import { KilnError } from "../../base/index.ts";

export type Token =
  | {
      readonly kind: "word" | "field" | "variable" | "sign";
      readonly text: string;
      readonly spaced: boolean;
    }
  | { readonly kind: "literal"; readonly value: string | number; readonly spaced: boolean };

/** Plain text, or the words between `{{` and `}}`. */
export type Piece =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "action"; readonly tokens: readonly Token[] };

/** Longer templates are a mistake. */
const maxTemplateLength = 1024 * 1024;

/** Throws `TEMPLATE_INVALID`. */
export function splitTemplate(text: string): readonly Piece[] {
  if (text.length > maxTemplateLength) throw invalidTemplate("it is too long");
  const pieces: Piece[] = [];
  let trimNext = false;
  for (let at = 0; at < text.length; ) {
    const open = text.indexOf("{{", at);
    const plain = text.slice(at, open === -1 ? text.length : open);
    const trimThis = open !== -1 && /^-\s/.test(text.slice(open + 2, open + 4));
    const left = trimNext ? plain.trimStart() : plain;
    const kept = trimThis ? left.trimEnd() : left;
    if (kept !== "") pieces.push({ kind: "text", text: kept });
    if (open === -1) break;
    const start = open + 2 + (trimThis ? 1 : 0);
    const action = readAction(text, start);
    if (action.tokens) pieces.push({ kind: "action", tokens: action.tokens });
    trimNext = action.trims;
    at = action.end;
  }
  return pieces;
}

interface Action {
  /** Undefined for a comment. */
  readonly tokens: readonly Token[] | undefined;
  readonly end: number;
  readonly trims: boolean;
}

const comment = /\s*\/\*[\s\S]*?\*\/(\s-)?\s*\}\}/y;
const close = /(\s-)?\s*\}\}/y;
const number =
  /[+-]?(?:0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|(?:\d[\d_]*)?\.?\d[\d_]*(?:[eE][+-]?\d+)?)(?![\w.])/y;
const quoted = /"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)+'/y;
const raw = /`[^`]*`/y;
const variable = /\$\w*/y;
const field = /\.[\p{L}_][\p{L}\p{Nd}_]*/uy;
const word = /[\p{L}_][\p{L}\p{Nd}_]*/uy;
const sign = /:=|[=|(),.]/y;

function readAction(text: string, start: number): Action {
  const said = matchAt(comment, text, start);
  if (said) return { tokens: undefined, end: start + said[0].length, trims: said[1] !== undefined };
  const tokens: Token[] = [];
  for (let at = start; at < text.length; ) {
    const end = matchAt(close, text, at);
    if (end) return { tokens, end: at + end[0].length, trims: end[1] !== undefined };
    const blank = matchAt(/\s+/y, text, at);
    const from = at + (blank?.[0].length ?? 0);
    const found = readToken(text, from, blank !== undefined || tokens.length === 0);
    tokens.push(found.token);
    at = found.end;
  }
  throw invalidTemplate("an action that begins with {{ has no }}");
}

function readToken(text: string, at: number, spaced: boolean): { token: Token; end: number } {
  const of = (kind: "word" | "field" | "variable" | "sign", match: RegExpExecArray) => ({
    token: { kind, text: match[0], spaced } as const,
    end: at + match[0].length,
  });
  const literal = (value: string | number, match: RegExpExecArray) => ({
    token: { kind: "literal", value, spaced } as const,
    end: at + match[0].length,
  });
  const string = matchAt(quoted, text, at);
  if (string) return literal(unquote(string[0]), string);
  const plain = matchAt(raw, text, at);
  if (plain) return literal(plain[0].slice(1, -1), plain);
  const digits = matchAt(number, text, at);
  if (digits) return literal(Number(digits[0].replaceAll("_", "")), digits);
  for (const [kind, pattern] of [
    ["variable", variable],
    ["field", field],
    ["word", word],
    ["sign", sign],
  ] as const) {
    const match = matchAt(pattern, text, at);
    if (match) return of(kind, match);
  }
  const character = text.slice(at, at + 1);
  throw invalidTemplate(
    character === ""
      ? "an action that begins with {{ has no }}"
      : `unexpected ${JSON.stringify(character)}`,
  );
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text) ?? undefined;
}

const escapes: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};

/** Go's interpreted string, or the number of a character in single quotes. */
function unquote(text: string): string | number {
  const inner = text
    .slice(1, -1)
    .replace(
      /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))/g,
      (_, hex, short, long, octal, char: string) => {
        const code = hex ?? short ?? long;
        if (code !== undefined)
          return String.fromCodePoint(Math.min(Number.parseInt(code, 16), 0x10ffff));
        if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8));
        return escapes[char] ?? char;
      },
    );
  return text.startsWith("'") ? (inner.codePointAt(0) ?? 0) : inner;
}

/** The error for a template that cannot be read. */
export function invalidTemplate(why: string): KilnError {
  return new KilnError("TEMPLATE_INVALID", `the template cannot be read: ${why}`);
}
