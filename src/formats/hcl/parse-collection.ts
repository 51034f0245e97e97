// Tuples, objects and `for` of HCL's native syntax (HCL spec, Collection Values and For Expressions).
import type { Expression, ObjectItem } from "./ast.ts";
import type { ExpressionParser } from "./parse-expression.ts";
import type { Token } from "./scanner.ts";
import { mistakeAt, spanning } from "./source.ts";

/** Reads on behind `[`, where line ends mean nothing: a tuple, or a `for` that makes one. Throws the first mistake. */
export function parseTuple(parser: ExpressionParser, open: Token): Expression {
  if (beginsFor(parser)) return parseFor(parser, open, "]");
  const items: Expression[] = [];
  for (;;) {
    const close = parser.scanner.take("]");
    if (close) return { kind: "tuple", items, range: spanning(open.range, close.range) };
    items.push(parser.expression());
    const next = parser.scanner.next();
    if (next.text === "]") return { kind: "tuple", items, range: spanning(open.range, next.range) };
    if (next.text !== ",") throw missingComma(next, "tuple", open);
  }
}

/** Reads on behind `{`, where line ends mean nothing: an object, or a `for` that makes one. Throws the first mistake. */
export function parseObject(parser: ExpressionParser, open: Token): Expression {
  if (beginsFor(parser)) return parseFor(parser, open, "}");
  const items: ObjectItem[] = [];
  for (;;) {
    const close = parser.scanner.take("}");
    if (close) return { kind: "object", items, range: spanning(open.range, close.range) };
    const key = objectKey(parser.expression());
    const assign = parser.scanner.next();
    if (assign.text !== "=" && assign.text !== ":") {
      throw mistakeAt(
        assign.range,
        "Missing key/value separator",
        'Expected an equals sign ("=") to mark the beginning of the attribute value.',
      );
    }
    const value = parser.expression();
    items.push({ key, value });
    if (!takeSeparator(parser)) {
      const end = parser.scanner.next();
      if (end.text === "}")
        return { kind: "object", items, range: spanning(open.range, end.range) };
      throw missingComma(end, "object", open);
    }
  }
}

/** Items of objects are separated by commas or line ends. */
function takeSeparator(parser: ExpressionParser): boolean {
  if (parser.scanner.take(",")) return true;
  const before = parser.scanner.at;
  parser.scanner.newlines = true;
  const isNewline = parser.scanner.next().kind === "newline";
  parser.scanner.newlines = false;
  if (!isNewline) parser.scanner.at = before;
  return isNewline;
}

function beginsFor(parser: ExpressionParser): boolean {
  const before = parser.scanner.at;
  const word = parser.scanner.next();
  const after = word.text === "for" && word.kind === "word" ? parser.scanner.next() : undefined;
  parser.scanner.at = before;
  return after?.kind === "word";
}

function parseFor(parser: ExpressionParser, open: Token, end: "]" | "}"): Expression {
  parser.scanner.next();
  const { keyName, valueName } = forNames(parser);
  const collection = parser.expression();
  expectSymbol(
    parser,
    ":",
    "Invalid 'for' expression",
    "For expression requires a colon after the collection expression.",
  );
  const first = parser.expression();
  const arrow = parser.scanner.take("=>");
  if ((arrow === undefined) !== (end === "]")) {
    throw mistakeAt(
      spanning(open.range, first.range),
      "Invalid 'for' expression",
      end === "]"
        ? "Key expression is not valid when building a tuple."
        : "Key expression is required when building an object.",
    );
  }
  const value = arrow ? parser.expression() : first;
  const grouped = arrow !== undefined && parser.scanner.take("...") !== undefined;
  const condition = takeWord(parser, "if") ? parser.expression() : undefined;
  const close = expectSymbol(
    parser,
    end,
    "Invalid 'for' expression",
    "Extra characters after the end of the 'for' expression.",
  );
  const key = arrow ? first : undefined;
  const range = spanning(open.range, close.range);
  return { kind: "for", keyName, valueName, collection, key, value, condition, grouped, range };
}

function takeWord(parser: ExpressionParser, text: string): boolean {
  const token = parser.scanner.peek();
  const found = token.kind === "word" && token.text === text;
  if (found) parser.scanner.next();
  return found;
}

/** `name in` or `key, name in`, of `for` in brackets and in templates. */
export function forNames(parser: ExpressionParser): {
  readonly keyName: string | undefined;
  readonly valueName: string;
} {
  const first = forName(parser);
  const second = parser.scanner.take(",") ? forName(parser) : undefined;
  const word = parser.scanner.next();
  if (word.text !== "in") {
    throw mistakeAt(
      word.range,
      "Invalid 'for' expression",
      "For expression requires the 'in' keyword after its name declarations.",
    );
  }
  return second === undefined
    ? { keyName: undefined, valueName: first }
    : { keyName: first, valueName: second };
}

function forName(parser: ExpressionParser): string {
  const token = parser.scanner.next();
  if (token.kind === "word") return token.text;
  throw mistakeAt(
    token.range,
    "Invalid 'for' expression",
    "For expression requires variable name after 'for'.",
  );
}

function expectSymbol(
  parser: ExpressionParser,
  symbol: string,
  summary: string,
  detail: string,
): Token {
  const token = parser.scanner.next();
  if (token.text === symbol && token.kind === "symbol") return token;
  throw mistakeAt(token.range, summary, detail);
}

/** A bare word is itself; what looks like a path is neither a name nor clearly an expression. */
function objectKey(key: Expression): Expression {
  if (key.kind === "variable") return { kind: "literal", value: key.name, range: key.range };
  if (key.kind !== "attribute") return key;
  throw mistakeAt(
    key.range,
    "Ambiguous attribute key",
    "If this expression is intended to be a reference, wrap it in parentheses. If it's instead intended as a literal name containing periods, wrap it in quotes to create a string literal.",
  );
}

function missingComma(token: Token, what: "tuple" | "object", open: Token): Error {
  if (token.kind === "end") {
    const bracket = what === "tuple" ? "bracket" : "brace";
    return mistakeAt(
      open.range,
      `Unterminated ${what} constructor expression`,
      `There is no corresponding closing ${bracket} before the end of the file. This may be caused by incorrect ${bracket} nesting elsewhere in this file.`,
    );
  }
  return what === "tuple"
    ? mistakeAt(
        token.range,
        "Missing item separator",
        "Expected a comma to mark the beginning of the next item.",
      )
    : mistakeAt(
        token.range,
        "Missing attribute separator",
        "Expected a newline or comma to mark the beginning of the next attribute.",
      );
}
