// Strings with `${…}` and `%{…}` in them, quoted or as heredocs (HCL spec, Templates).
import type { Expression } from "./ast.ts";
import { forNames } from "./parse-collection.ts";
import type { ExpressionParser } from "./parse-expression.ts";
import type { Token } from "./scanner.ts";
import { mistakeAt, type Range, spanning } from "./source.ts";

/** What a template is made of before its directives are matched. */
type Part =
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

/** All of what the parser's scanner goes through, as one template. */
export function parseWhole(parser: ExpressionParser): Expression {
  const { scanner } = parser;
  const form = { quoted: false, end: scanner.end, indent: 0 };
  const parts = new TemplateReader(parser, form).read();
  return joined(parts, scanner.range(0, scanner.end));
}

/** A quoted string; `open` is its first quote, behind which the scanner stands. */
export function parseQuoted(parser: ExpressionParser, open: Token): Expression {
  const { scanner } = parser;
  const reader = new TemplateReader(parser, { quoted: true, end: scanner.end, indent: 0 });
  const parts = reader.read();
  return joined(parts, scanner.range(open.range.start));
}

/** `<<NAME` or `<<-NAME`, whose line the scanner has just left. */
export function parseHeredoc(parser: ExpressionParser, head: Token): Expression {
  const { scanner } = parser;
  const [, flush = "", name = ""] = /^<<(-?)(.*?)\r?\n$/s.exec(head.text) ?? [];
  const { text } = scanner.source;
  const start = scanner.at;
  let line = start;
  for (;;) {
    if (line >= scanner.end) {
      throw mistakeAt(
        head.range,
        "Unterminated template string",
        `No closing marker was found for the string: ${name} must stand alone on a line.`,
      );
    }
    const next = text.indexOf("\n", line);
    const end = next === -1 ? scanner.end : next;
    if (text.slice(line, end).trim() === name) {
      const indent = flush === "" ? 0 : commonIndent(text.slice(start, line));
      const reader = new TemplateReader(parser, { quoted: false, end: line, indent });
      const parts = reader.read();
      scanner.at = end;
      return joined(parts, scanner.range(head.range.start));
    }
    line = end + 1;
  }
}

/** Blanks that all lines with anything in them begin with. */
function commonIndent(text: string): number {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const indents = lines.map((line) => /^[ \t]*/.exec(line)?.[0].length ?? 0);
  return indents.length === 0 ? 0 : Math.min(...indents);
}

interface TemplateForm {
  readonly quoted: boolean;
  readonly end: number;
  /** Blanks that are taken from the beginning of each line. */
  readonly indent: number;
}

class TemplateReader {
  readonly #parser: ExpressionParser;
  readonly #form: TemplateForm;
  readonly #parts: Part[] = [];
  /** The next literal text loses its blanks at the beginning. */
  #trimNext = false;

  constructor(parser: ExpressionParser, form: TemplateForm) {
    this.#parser = parser;
    this.#form = form;
  }

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

/** Matches directives with their ends. */
function joined(parts: readonly Part[], range: Range): Expression {
  const state = { at: 0, depth: 0 };
  const read = sequenceOf(parts, state, range, []);
  const left = parts[state.at];
  if (left) {
    throw mistakeAt(
      left.range,
      `Unexpected ${left.kind} directive`,
      `There is no directive that %{ ${left.kind} } belongs to.`,
    );
  }
  return read;
}

interface Matching {
  at: number;
  depth: number;
}

/** Directives inside directives. */
const maxDirectives = 100;

/** Parts up to one of the kinds in `ends`, which is left where it is. */
function sequenceOf(
  parts: readonly Part[],
  state: Matching,
  range: Range,
  ends: readonly Part["kind"][],
): Expression {
  if (++state.depth > maxDirectives)
    throw mistakeAt(
      range,
      "Template too deep",
      `At most ${maxDirectives} directives in each other.`,
    );
  const found: Expression[] = [];
  for (let part = parts[state.at]; part && !ends.includes(part.kind); part = parts[state.at]) {
    if (part.kind === "text") found.push({ kind: "literal", value: part.text, range: part.range });
    else if (part.kind === "value") found.push(part.value);
    else if (part.kind === "if" || part.kind === "for") {
      found.push(directiveOf(part, parts, state));
      continue;
    } else break;
    state.at++;
  }
  state.depth--;
  return template(found, range, parts.length === 1 && parts[0]?.kind === "value");
}

function directiveOf(
  part: Extract<Part, { kind: "if" | "for" }>,
  parts: readonly Part[],
  state: Matching,
): Expression {
  state.at++;
  const { range } = part;
  if (part.kind === "for") {
    const body = sequenceOf(parts, state, range, ["endfor"]);
    const end = closing(parts, state, "endfor", range);
    return {
      kind: "templateFor",
      ...part.names,
      collection: part.collection,
      body,
      range: spanning(range, end),
    };
  }
  const { condition } = part;
  const yes = sequenceOf(parts, state, range, ["else", "endif"]);
  const hasElse = parts[state.at]?.kind === "else";
  if (hasElse) state.at++;
  const no: Expression = hasElse
    ? sequenceOf(parts, state, range, ["endif"])
    : { kind: "literal", value: "", range };
  const end = closing(parts, state, "endif", range);
  return { kind: "conditional", condition, yes, no, range: spanning(range, end) };
}

function closing(
  parts: readonly Part[],
  state: Matching,
  kind: "endif" | "endfor",
  opened: Range,
): Range {
  const part = parts[state.at];
  if (part?.kind !== kind) {
    throw mistakeAt(
      opened,
      "Unclosed template directive",
      `There is no %{ ${kind} } for this directive.`,
    );
  }
  state.at++;
  return part.range;
}

function template(parts: readonly Expression[], range: Range, wrapped: boolean): Expression {
  const [only] = parts;
  if (parts.length === 0) return { kind: "literal", value: "", range };
  if (parts.length === 1 && only?.kind === "literal" && typeof only.value === "string" && !wrapped)
    return { ...only, range };
  return { kind: "template", parts, wrapped, range };
}
