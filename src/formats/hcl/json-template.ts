// Strings of JSON files, which are templates.
import type { Expression } from "./ast.ts";
import { ExpressionParser } from "./parse-expression.ts";
import { parseWhole } from "./parse-template.ts";
import { Scanner } from "./scanner.ts";
import { mistakeAt, type Range } from "./source.ts";

/** A string of a JSON file, which is a template whose own escapes have been read already. */
export function parseJsonTemplate(text: string, range: Range, depth: number): Expression {
  if (!text.includes("${") && !text.includes("%{")) return { kind: "literal", value: text, range };
  // What stands in the template has no place of its own in the file.
  const inner = new Scanner({ name: range.source.name, text });
  const parser = new ExpressionParser(inner, depth);
  return moved(parseWhole(parser), range);
}

/** An expression that is the whole of a text. */
export function parseExpressionText(text: string, range: Range): Expression {
  const parser = new ExpressionParser(new Scanner({ name: range.source.name, text }));
  parser.scanner.newlines = false;
  const expression = parser.expression();
  const { kind } = parser.scanner.next();
  if (kind === "end") return moved(expression, range);
  throw mistakeAt(range, "Invalid expression", "There is more than one expression.");
}

/** The expression with every range replaced: mistakes inside a JSON string point at the whole string. */
function moved<T>(node: T, range: Range): T {
  if (Array.isArray(node)) return node.map((one) => moved(one, range)) as T;
  if (typeof node !== "object" || node === null) return node;
  return Object.fromEntries(
    Object.entries(node).map(([key, value]) => [
      key,
      key === "range" || key === "nameRange" ? range : moved(value, range),
    ]),
  ) as T;
}
