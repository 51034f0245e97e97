// Expressions of HCL's native syntax (HCL spec, Expressions).
import type { BinaryOperator, Expression } from "./ast.ts";
import { parseObject, parseTuple } from "./parse-collection.ts";
import { parseHeredoc, parseQuoted } from "./parse-template.ts";
import type { Scanner, Token } from "./scanner.ts";
import { mistakeAt, type Range, spanning } from "./source.ts";

/** Expressions inside expressions. */
const maxDepth = 250;

const levels: readonly (readonly BinaryOperator[])[] = [
  ["||"],
  ["&&"],
  ["==", "!="],
  ["<", ">", "<=", ">="],
  ["+", "-"],
  ["*", "/", "%"],
];

/** Reads where its scanner stands. */
export class ExpressionParser {
  readonly scanner: Scanner;
  #depth: number;

  constructor(scanner: Scanner, depth: number = 0) {
    this.scanner = scanner;
    this.#depth = depth;
  }

  /** How deep it is, for parsers of templates inside. */
  get depth(): number {
    return this.#depth;
  }

  expression(): Expression {
    if (this.#depth >= maxDepth) {
      const { range } = this.scanner.peek();
      throw mistakeAt(range, "Expression too deep", `At most ${maxDepth} levels are allowed.`);
    }
    this.#depth++;
    const value = this.#ternary();
    this.#depth--;
    return value;
  }

  /** A string without templates: labels and the like. `open` is its quote. */
  plainString(open: Token): { text: string; range: Range } {
    const read = parseQuoted(this, open);
    if (read.kind === "literal") return { text: String(read.value), range: read.range };
    throw mistakeAt(
      read.range,
      "Invalid string literal",
      'Template sequences are not allowed in this string. To include a literal "$", double it (as "$$") to escape it.',
    );
  }

  /** Reads inside brackets, where line ends mean nothing. */
  inside<T>(read: () => T): T {
    const before = this.scanner.newlines;
    this.scanner.newlines = false;
    const result = read();
    this.scanner.newlines = before;
    return result;
  }

  #ternary(): Expression {
    const condition = this.#binary(0);
    if (!this.scanner.take("?")) return condition;
    const yes = this.expression();
    const colon = this.scanner.next();
    if (colon.text !== ":") {
      throw mistakeAt(
        colon.range,
        "Missing false expression in conditional",
        "The conditional operator (...?...:...) requires a false expression, delimited by a colon.",
      );
    }
    const no = this.expression();
    return { kind: "conditional", condition, yes, no, range: spanning(condition.range, no.range) };
  }

  #binary(level: number): Expression {
    const operators = levels[level];
    if (!operators) return this.#unary();
    let left = this.#binary(level + 1);
    for (;;) {
      const token = this.scanner.peek();
      const operator = operators.find((one) => token.kind === "symbol" && one === token.text);
      if (operator === undefined) return left;
      this.scanner.next();
      const right = this.#binary(level + 1);
      left = { kind: "binary", operator, left, right, range: spanning(left.range, right.range) };
    }
  }

  #unary(): Expression {
    const token = this.scanner.peek();
    if (token.kind !== "symbol" || (token.text !== "-" && token.text !== "!"))
      return this.#postfix(this.#primary());
    this.scanner.next();
    if (this.#depth >= maxDepth)
      throw mistakeAt(
        token.range,
        "Expression too deep",
        `At most ${maxDepth} levels are allowed.`,
      );
    this.#depth++;
    const operand = this.#unary();
    this.#depth--;
    return {
      kind: "unary",
      operator: token.text,
      operand,
      range: spanning(token.range, operand.range),
    };
  }

  #postfix(start: Expression, attributesOnly: boolean = false): Expression {
    let value = start;
    for (;;) {
      const token = this.scanner.peek();
      if (token.text === "." && token.kind === "symbol") {
        this.scanner.next();
        value = this.#member(value);
      } else if (token.text === "[" && token.kind === "symbol" && !attributesOnly) {
        this.scanner.next();
        value = this.#index(value);
      } else return value;
    }
  }

  #member(object: Expression): Expression {
    const token = this.scanner.next();
    const range = spanning(object.range, token.range);
    if (token.kind === "word") return { kind: "attribute", object, name: token.text, range };
    if (token.kind === "number") return this.#numbered(object, token);
    if (token.text === "*") {
      const element: Expression = { kind: "element", range: token.range };
      return { kind: "splat", source: object, each: this.#postfix(element, true), range };
    }
    throw mistakeAt(
      token.range,
      "Invalid attribute name",
      "An attribute name is required after a dot.",
    );
  }

  /** `list.0`, and `list.0.1`, which looks like a number with a fraction. */
  #numbered(object: Expression, token: Token): Expression {
    let value = object;
    const range = spanning(object.range, token.range);
    for (const digits of token.text.split("."))
      value = { kind: "index", object: value, key: literal(Number(digits), token.range), range };
    return value;
  }

  #index(object: Expression): Expression {
    return this.#closing("]", (close) => {
      const star = this.scanner.peek();
      if (star.text === "*") {
        this.scanner.next();
        const range = spanning(object.range, close().range);
        // What follows belongs to every element.
        return (): Expression => {
          const each = this.#postfix({ kind: "element", range: star.range });
          return { kind: "splat", source: object, each, range };
        };
      }
      const key = this.expression();
      const range = spanning(object.range, close().range);
      return (): Expression => ({ kind: "index", object, key, range });
    })();
  }

  /** Reads inside brackets up to `symbol`, which `read` takes with its argument. */
  #closing<T>(symbol: string, read: (close: () => Token) => T): T {
    return this.inside(() =>
      read(() => {
        const token = this.scanner.next();
        if (token.text === symbol && token.kind === "symbol") return token;
        throw mistakeAt(
          token.range,
          symbol === "]" ? "Missing close bracket on index" : "Unbalanced parentheses",
          symbol === "]"
            ? 'The index operator must end with a closing bracket ("]").'
            : "Expected a closing parenthesis to terminate the expression.",
        );
      }),
    );
  }

  #primary(): Expression {
    const token = this.scanner.next();
    switch (token.kind) {
      case "number":
        if (Number.isFinite(Number(token.text))) return literal(Number(token.text), token.range);
        throw mistakeAt(token.range, "Invalid number", "The number is too large.");
      case "quote":
        return parseQuoted(this, token);
      case "heredoc":
        return parseHeredoc(this, token);
      case "word":
        return this.#word(token);
      case "symbol":
        if (token.text === "(") {
          return this.#closing(")", (close): Expression => {
            const inner = this.expression();
            return { kind: "group", inner, range: spanning(token.range, close().range) };
          });
        }
        if (token.text === "[") return this.inside(() => parseTuple(this, token));
        if (token.text === "{") return this.inside(() => parseObject(this, token));
    }
    throw mistakeAt(
      token.range,
      // As the reference has it: only the end of the file is an end.
      token.kind === "end" ? "Missing expression" : "Invalid expression",
      token.kind === "end"
        ? "Expected the start of an expression, but found the end of the file."
        : "Expected the start of an expression, but found an invalid expression token.",
    );
  }

  #word(token: Token): Expression {
    const constant = constants.get(token.text);
    if (constant !== undefined) return literal(constant, token.range);
    // No line may end between a function's name and its arguments.
    if (this.scanner.source.text[this.scanner.at] === "(" || this.scanner.peek().text === "(")
      return this.inside(() => this.#call(token));
    return { kind: "variable", name: token.text, range: token.range };
  }

  #call(name: Token): Expression {
    this.scanner.next();
    const args: Expression[] = [];
    for (;;) {
      const close = this.scanner.take(")");
      if (close) return this.#called(name, args, false, close);
      args.push(this.expression());
      const dots = this.scanner.take("...");
      const next = this.scanner.next();
      if (next.text === ")") return this.#called(name, args, dots !== undefined, next);
      if (next.text !== "," || dots) {
        throw mistakeAt(
          next.range,
          "Missing argument separator",
          "A comma is required to separate each function argument from the next.",
        );
      }
    }
  }

  #called(name: Token, args: readonly Expression[], expand: boolean, end: Token): Expression {
    return {
      kind: "call",
      name: name.text,
      nameRange: name.range,
      args,
      expand,
      range: spanning(name.range, end.range),
    };
  }
}

const constants: ReadonlyMap<string, true | false | null> = new Map([
  ["true", true],
  ["false", false],
  ["null", null],
]);

function literal(value: string | number | boolean | null, range: Range): Expression {
  return { kind: "literal", value, range };
}
