// Files in HCL's native syntax: attributes and blocks (HCL spec, Structural Elements). All mistakes are found at once.
import { isKilnError, KilnError } from "../../base/index.ts";
import type { Attribute, Block, Body } from "./ast.ts";
import { ExpressionParser } from "./parse-expression.ts";
import { Scanner, type Token } from "./scanner.ts";
import { mistakeAt, placeOf, type Range, type Source, spanning } from "./source.ts";

/** Largest file that is read, in UTF-16 units. */
export const maxFileLength: number = 4 << 20;
/** Blocks inside blocks. */
const maxBlockDepth = 50;
/** Mistakes that are told of one file. */
const maxMistakes = 20;

/** What a file says. Throws its first mistake with the `others`. */
export function parseHcl(source: Source): Body {
  if (source.text.length > maxFileLength)
    throw new KilnError("BAKE_INVALID", `${source.name} has more than ${maxFileLength} characters`);
  const parser = new BodyParser(source);
  const body = parser.body(undefined, 0);
  parser.done();
  return body;
}

class BodyParser {
  readonly #scanner: Scanner;
  readonly #expressions: ExpressionParser;
  readonly #mistakes: KilnError[] = [];

  constructor(source: Source) {
    this.#scanner = new Scanner(source);
    this.#expressions = new ExpressionParser(this.#scanner);
  }

  done(): void {
    const [first, ...others] = this.#mistakes;
    if (!first) return;
    throw new KilnError(first.code, first.message, {
      others,
      details: first.details,
      ...(first.at === undefined ? {} : { at: first.at }),
    });
  }

  /** Up to the brace that closes `opened`, or the end of the file. */
  body(opened: Range | undefined, depth: number): Body {
    const scanner = this.#scanner;
    const attributes = new Map<string, Attribute>();
    const blocks: Block[] = [];
    const start = scanner.at;
    for (;;) {
      if (this.#mistakes.length >= maxMistakes) break;
      try {
        const token = scanner.next();
        if (token.kind === "newline") continue;
        if (token.kind === "end" && opened) throw unclosed(opened);
        if (token.kind === "end") break;
        if (opened && token.text === "}") break;
        this.#item(token, attributes, blocks, depth);
        this.#lineEnd();
      } catch (error) {
        if (!isKilnError(error)) throw error;
        this.#mistakes.push(error);
        scanner.newlines = true;
        if (scanner.at >= scanner.end) break;
        this.#skipLine();
      }
    }
    return { attributes, blocks, range: scanner.range(start) };
  }

  #item(token: Token, attributes: Map<string, Attribute>, blocks: Block[], depth: number): void {
    if (token.kind !== "word") {
      throw mistakeAt(
        token.range,
        "Argument or block definition required",
        token.kind === "quote"
          ? 'An argument or block definition is required here. To set an argument, use the equals sign "=" to introduce the argument value.'
          : "An argument or block definition is required here.",
      );
    }
    const scanner = this.#scanner;
    if (scanner.take("=")) {
      const expression = this.#expressions.expression();
      const { text: name, range: nameRange } = token;
      const before = attributes.get(name);
      if (before) throw redefined(name, nameRange, before);
      attributes.set(name, {
        name,
        nameRange,
        range: spanning(nameRange, expression.range),
        expression,
      });
      return;
    }
    blocks.push(this.#block(token, depth));
  }

  #block(type: Token, depth: number): Block {
    const scanner = this.#scanner;
    const labels: { text: string; range: Range }[] = [];
    for (;;) {
      const token = scanner.next();
      if (token.kind === "word") labels.push({ text: token.text, range: token.range });
      else if (token.kind === "quote") labels.push(this.#expressions.plainString(token));
      else if (token.text === "{") {
        if (depth >= maxBlockDepth)
          throw mistakeAt(token.range, "Blocks too deep", `At most ${maxBlockDepth} levels.`);
        const last = labels.at(-1)?.range ?? type.range;
        const range = spanning(type.range, last);
        return { type: type.text, labels, range, body: this.#blockBody(token, depth) };
      } else throw badHead(token, type);
    }
  }

  /** `{ }`, `{ one = 1 }` on a line, or lines. */
  #blockBody(open: Token, depth: number): Body {
    const scanner = this.#scanner;
    const next = scanner.peek();
    if (next.kind === "newline" || next.kind === "end") return this.body(open.range, depth + 1);
    const start = scanner.at;
    const attributes = new Map<string, Attribute>();
    if (next.text !== "}") {
      const name = scanner.next();
      const isAttribute = name.kind === "word" && scanner.peek().text === "=";
      if (!isAttribute) {
        throw mistakeAt(
          name.range,
          "Invalid single-argument block definition",
          "A single-line block definition can contain only a single argument. If you meant to define argument or nested block, put it on a line of its own.",
        );
      }
      this.#item(name, attributes, [], depth);
    }
    const close = scanner.next();
    if (close.text === "}") return { attributes, blocks: [], range: scanner.range(start) };
    throw mistakeAt(
      close.range,
      "Invalid single-argument block definition",
      close.text === ","
        ? "Single-line block syntax can include only one argument definition. To define multiple arguments, use the multi-line block syntax with one argument definition per line."
        : "An argument definition on the same line as its containing block creates a single-line block definition, which must also be closed on the same line. Place the block's closing brace immediately after the argument definition.",
    );
  }

  #lineEnd(): void {
    const token = this.#scanner.peek();
    if (token.kind === "newline" || token.kind === "end") return;
    const before = this.#scanner.source.text[this.#scanner.at - 1];
    throw before === "}" && token.text !== "}"
      ? mistakeAt(
          token.range,
          "Missing newline after block definition",
          "A block definition must end with a newline.",
        )
      : mistakeAt(
          token.range,
          "Missing newline after argument",
          "An argument definition must end with a newline.",
        );
  }

  /** To the end of the line on which the mistake is; brackets that open on the way are followed to their end. */
  #skipLine(): void {
    const { text } = this.#scanner.source;
    let depth = 0;
    let quoted = false;
    for (let at = this.#scanner.at; at < text.length; at++) {
      const char = text[at] ?? "";
      if (quoted && char === "\\") at++;
      else if (char === '"') quoted = !quoted;
      else if (char === "\n") {
        quoted = false;
        this.#scanner.at = at;
        if (depth <= 0) return;
      } else if (!quoted && "{[(".includes(char)) depth++;
      else if (!quoted && "}])".includes(char)) depth--;
    }
    this.#scanner.at = text.length;
  }
}

function unclosed(opened: Range): KilnError {
  return mistakeAt(
    opened,
    "Unclosed configuration block",
    "There is no closing brace for this block before the end of the file. This may be caused by incorrect brace nesting elsewhere in this file.",
  );
}

function redefined(name: string, range: Range, before: Attribute): KilnError {
  const { file, line, column, endColumn } = placeOf(before.nameRange);
  return mistakeAt(
    range,
    "Attribute redefined",
    `The argument ${JSON.stringify(name)} was already set at ${file}:${line},${column}-${endColumn}. Each argument may be set only once.`,
  );
}

function badHead(token: Token, type: Token): KilnError {
  if (token.text === ":" || token.kind === "newline" || token.kind === "end") {
    return mistakeAt(
      spanning(type.range, token.range),
      token.text === ":" ? "Invalid argument definition" : "Invalid block definition",
      token.text === ":"
        ? 'Use an equals sign "=" to introduce the argument value.'
        : 'A block definition must have block content delimited by "{" and "}", starting on the same line as the block header.',
    );
  }
  return mistakeAt(
    token.range,
    "Invalid block definition",
    'Either a quoted string block label or an opening brace ("{") is expected here.',
  );
}
