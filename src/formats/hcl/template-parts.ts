// The text of a template as parts: literal text, values, and directives that are not matched yet (HCL spec, Templates).
import type { Expression } from "./ast.ts";
import { forNames } from "./parse-collection.ts";
import type { ExpressionParser } from "./parse-expression.ts";
import { mistakeAt, type Range } from "./source.ts";

/** What a template is made of before its directives are matched. */
export type Part =
  | { readonly kind: "text"; text: string; readonly range: Range }
  | { readonly kind: "value"; readonly value: Expression; readonly range: Range }
  | { readonly kind: "if"; readonly condition: Expression; readonly range: Range }
  | { readonly kind: "else" | "endif" | "endfor"; readonly range: Range }
  | {
      readonly kind: "for";
      readonly names: { readonly keyName: string | undefined; readonly valueName: string };
      readonly collection: Expression;
      readonly range: Range;
    };

/** How a template stands in its file. */
export interface TemplateForm {
  readonly quoted: boolean;
  /** Offset in the source behind its last character; a quoted one ends at its quote before that. */
  readonly end: number;
  /** Blanks that are taken from the beginning of each line. */
  readonly indent: number;
}

/** Reads one template, from where the scanner of `parser` stands. */
export class TemplateReader {
  readonly #parser: ExpressionParser;
  readonly #form: TemplateForm;
  readonly #parts: Part[] = [];
  /** The next literal text loses its blanks at the beginning. */
  #trimNext = false;

  constructor(parser: ExpressionParser, form: TemplateForm) {
    this.#parser = parser;
    this.#form = form;
  }

  /** All parts. Leaves the scanner behind the template. Throws `BAKE_INVALID` with the place. */
  read(): readonly Part[] {
    const { scanner } = this.#parser;
    let text = "";
    let start = scanner.at;
    const flush = () => {
      if (this.#trimNext) text = text.trimStart();
      this.#trimNext = false;
      if (text !== "") this.#parts.push({ kind: "text", text, range: scanner.range(start) });
      text = "";
    };
    if (this.#form.indent > 0) this.#skipIndent();
    for (;;) {
      if (scanner.at >= this.#form.end) {
        if (this.#form.quoted) throw unterminated(scanner.range(start));
        flush();
        return this.#parts;
      }
      const two = scanner.source.text.slice(scanner.at, scanner.at + 3);
      if (this.#form.quoted && two[0] === '"') {
        flush();
        scanner.at++;
        return this.#parts;
      }
      if (two === "$${" || two === "%%{") {
        text += two.slice(1);
        scanner.at += 3;
      } else if (two.startsWith("${") || two.startsWith("%{")) {
        const trims = two[2] === "~";
        if (trims) text = text.trimEnd();
        flush();
        this.#sequence(two[0] === "$", trims);
        start = scanner.at;
      } else text += this.#character();
    }
  }

  #character(): string {
    const { scanner } = this.#parser;
    const { text } = scanner.source;
    const char = text[scanner.at] ?? "";
    if (this.#form.quoted && char === "\n") {
      throw mistakeAt(
        scanner.range(scanner.at, scanner.at + 1),
        "Invalid multi-line string",
        'Quoted strings may not be split over multiple lines. To produce a multi-line string, either use the \\n escape to represent a newline character or use the "heredoc" multi-line template syntax.',
      );
    }
    if (this.#form.quoted && char === "\\") return this.#escape();
    scanner.at++;
    if (char === "\n" && this.#form.indent > 0) this.#skipIndent();
    return char;
  }

  #skipIndent(): void {
    const { scanner } = this.#parser;
    for (let left = this.#form.indent; left > 0 && scanner.at < this.#form.end; left--) {
      const char = scanner.source.text[scanner.at];
      if (char !== " " && char !== "\t") return;
      scanner.at++;
    }
  }

  #escape(): string {
    const { scanner } = this.#parser;
    const { text } = scanner.source;
    const start = scanner.at;
    const letter = text[start + 1] ?? "";
    const simple = escapes.get(letter);
    if (simple !== undefined) {
      scanner.at += 2;
      return simple;
    }
    const length = letter === "u" ? 4 : letter === "U" ? 8 : 0;
    const digits = text.slice(start + 2, start + 2 + length);
    const code = length > 0 && /^[0-9a-fA-F]+$/.test(digits) ? Number.parseInt(digits, 16) : -1;
    if (digits.length !== length || code < 0 || code > 0x10ffff) {
      throw mistakeAt(
        scanner.range(start, start + 2),
        "Invalid escape sequence",
        length > 0
          ? `The \\${letter} escape sequence must be followed by ${length} hexadecimal digits.`
          : `The symbol ${JSON.stringify(letter)} is not a valid escape sequence selector.`,
      );
    }
    scanner.at += 2 + length;
    return String.fromCodePoint(code);
  }

  /** `${…}` or `%{…}`, at whose beginning the scanner stands. */
  #sequence(isValue: boolean, trims: boolean): void {
    const { scanner } = this.#parser;
    const start = scanner.at;
    scanner.at += trims ? 3 : 2;
    const part = this.#parser.inside((): Part => {
      const read = isValue
        ? ({ kind: "value", value: this.#parser.expression() } as const)
        : this.#directive(start);
      this.#trimNext = scanner.take("~") !== undefined;
      const close = scanner.next();
      if (close.text !== "}") {
        throw mistakeAt(
          close.range,
          isValue
            ? "Extra characters after interpolation expression"
            : "Extra characters in template directive",
          isValue
            ? "Expected a closing brace to end the interpolation expression, but found extra characters."
            : "Expected a closing brace to end the template directive.",
        );
      }
      return { ...read, range: scanner.range(start) };
    });
    this.#parts.push(part);
  }

  #directive(start: number): DirectiveParts {
    const { scanner } = this.#parser;
    const word = scanner.next();
    switch (word.text) {
      case "if":
        return { kind: "if", condition: this.#parser.expression() };
      case "for": {
        const names = forNames(this.#parser);
        return { kind: "for", names, collection: this.#parser.expression() };
      }
      case "else":
      case "endif":
      case "endfor":
        return { kind: word.text };
    }
    throw mistakeAt(
      scanner.range(start),
      "Invalid template control keyword",
      `${JSON.stringify(word.text)} is not a valid template control keyword.`,
    );
  }
}

type DirectiveParts = WithoutRange<Exclude<Part, { kind: "text" | "value" }>>;
type WithoutRange<T> = T extends unknown ? Omit<T, "range"> : never;

function unterminated(range: Range): Error {
  return mistakeAt(
    range,
    "Unterminated template string",
    "No closing marker was found for the string.",
  );
}

const escapes: ReadonlyMap<string, string> = new Map([
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
  ['"', '"'],
  ["\\", "\\"],
]);
