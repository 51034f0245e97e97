// Arithmetic, comparison, and the common type of both sides of a conditional.
import type { BinaryOperator, Expression } from "./ast.ts";
import { mistakeAt, type Range } from "./source.ts";
import { commonType, convert } from "./types.ts";
import { Mapping, Sequence, settled, typeName, type Value } from "./value.ts";

type Kind<K extends Expression["kind"]> = Extract<Expression, { kind: K }>;

/** Both sides of a conditional have one type: text and a number are both text. */
export function unified(
  value: Value,
  other: Value,
  { yes, no, condition }: Pick<Kind<"conditional">, "yes" | "no" | "condition">,
): Value {
  if (value === null || other === null) return value;
  const simple = (one: Value) => typeof one !== "object";
  if (simple(value) && simple(other)) return convert(value, commonType([value, other]));
  const same =
    (value instanceof Sequence && other instanceof Sequence) ||
    (value instanceof Mapping && other instanceof Mapping);
  if (same) return value;
  throw mistakeAt(
    { ...condition.range, start: yes.range.start, end: no.range.end },
    "Inconsistent conditional result types",
    `The true and false result expressions must have consistent types. The 'true' value is ${typeName(value)}, but the 'false' value is ${typeName(other)}.`,
  );
}

/** The value, unless it is a number beyond all bounds. */
export function finite(value: Value, range: Range): Value {
  if (typeof value !== "number" || Number.isFinite(value)) return value;
  throw mistakeAt(range, "Operation failed", "The number is too large.");
}

/** The result of comparing or reckoning with two numbers. */
export function arithmetic(operator: BinaryOperator, a: number, b: number, range: Range): Value {
  switch (operator) {
    case "<":
      return a < b;
    case "<=":
      return a <= b;
    case ">":
      return a > b;
    case ">=":
      return a >= b;
    case "+":
      return settled(a + b);
    case "-":
      return settled(a - b);
    case "*":
      return settled(a * b);
  }
  if (b === 0)
    throw mistakeAt(
      range,
      operator === "/" ? "Division by zero" : "Operation failed",
      "Division by zero is not possible.",
    );
  return operator === "/" ? settled(a / b) : settled(a % b);
}
