// The words of HCL's native syntax, found one at a time where the parser stands (HCL spec, Lexical Elements).
import { mistakeAt, type Range, type Source } from "./source.ts";

export interface Token {
  readonly kind: "word" | "number" | "symbol" | "quote" | "heredoc" | "newline" | "end";
  readonly text: string;
  readonly range: Range;
}

const wordPattern = /[\p{ID_Start}_][\p{ID_Continue}-]*/uy;
const numberPattern = /\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const heredocPattern = /<<-?[\p{ID_Start}_][\p{ID_Continue}-]*\r?\n/uy;
const symbolPattern = /\.\.\.|=>|==|!=|<=|>=|&&|\|\||[-+*/%!<>=?:{}()[\],.~]/y;

/** Goes through a text. `at` may be set back to any place it has been at. */
export class Scanner {
  readonly source: Source;
  readonly end: number;
  at: number;
  /** Inside brackets line ends mean nothing. */
  newlines: boolean = true;

  constructor(source: Source, start: number = 0, end: number = source.text.length) {
    this.source = source;
    this.at = start;
    this.end = end;
  }

  range(start: number, end: number = this.at): Range {
    return { source: this.source, start, end };
  }

  /** The next token; it stays next. */
  peek(): Token {
    const before = this.at;
    const token = this.next();
    this.at = before;
    return token;
  }

  next(): Token {
    this.#skipBlanks();
    const start = this.at;
    if (start >= this.end) return this.#token("end", start, start);
    const { text } = this.source;
    const char = text[start];
    if (char === "\n") return this.#token("newline", start, start + 1);
    if (char === '"') return this.#token("quote", start, start + 1);
    for (const [kind, pattern] of patterns) {
      pattern.lastIndex = start;
      const match = pattern.exec(text);
      if (match && start + match[0].length <= this.end)
        return this.#token(kind, start, start + match[0].length);
    }
    throw invalidCharacter(this.range(start, start + 1), char ?? "");
  }

  /** Takes the next token if it is this symbol. */
  take(symbol: string): Token | undefined {
    const before = this.at;
    const token = this.next();
    if (token.kind === "symbol" && token.text === symbol) return token;
    this.at = before;
    return undefined;
  }

  #token(kind: Token["kind"], start: number, end: number): Token {
    this.at = end;
    return { kind, text: this.source.text.slice(start, end), range: this.range(start, end) };
  }

  #skipBlanks(): void {
    const { text } = this.source;
    while (this.at < this.end) {
      const char = text[this.at];
      if (char === " " || char === "\t" || char === "\r" || char === "\ufeff") this.at++;
      else if (char === "\n" && !this.newlines) this.at++;
      else if (char === "#" || text.startsWith("//", this.at)) {
        const line = text.indexOf("\n", this.at);
        this.at = line === -1 ? this.end : Math.min(line, this.end);
      } else if (text.startsWith("/*", this.at)) {
        const close = text.indexOf("*/", this.at + 2);
        if (close === -1 || close + 2 > this.end) {
          throw mistakeAt(
            this.range(this.at, this.at + 2),
            "Unterminated comment",
            "There is no closing */ before the end of the file.",
          );
        }
        this.at = close + 2;
      } else return;
    }
  }
}

const patterns = [
  ["word", wordPattern],
  ["number", numberPattern],
  ["heredoc", heredocPattern],
  ["symbol", symbolPattern],
] as const;

function invalidCharacter(range: Range, char: string): Error {
  if (char === "'") {
    return mistakeAt(
      range,
      "Invalid character",
      'Single quotes are not valid. Use double quotes (") to enclose strings.',
    );
  }
  if (char === ";") {
    return mistakeAt(
      range,
      "Invalid character",
      'The ";" character is not valid. Use newlines to separate arguments and blocks, and commas to separate items in collection values.',
    );
  }
  return mistakeAt(range, "Invalid character", "This character is not used within the language.");
}
