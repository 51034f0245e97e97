// Operators and conditions.
import { isKilnError } from "../../base/index.ts";
import { converted } from "./access.ts";
import type { Expression } from "./ast.ts";
import type { Frame, Kind } from "./frame.ts";
import { arithmetic, finite, unified } from "./operators.ts";
import { mistakeAt } from "./source.ts";
import { ConversionError, convert, type Type } from "./types.ts";
import { equalValues, type Value } from "./value.ts";

/** How a mistake is told. */
interface Words {
  readonly summary: string;
  readonly detail: string;
}

const incorrectCondition = {
  summary: "Incorrect condition type",
  detail: "The condition expression must be of type bool.",
};

/** The branch that was not chosen only has a say in the type, and may fail. */
export function runConditional(expression: Kind<"conditional">, frame: Frame): Value {
  const { condition, yes, no } = expression;
  const chosen = truth(condition, frame, incorrectCondition);
  const value = frame.run(chosen ? yes : no);
  const other = quietly(() => frame.run(chosen ? no : yes));
  return other === undefined ? value : unified(value, other, { condition, yes, no });
}

function quietly(work: () => Value): Value | undefined {
  try {
    return work();
  } catch (error) {
    if (isKilnError(error)) return undefined;
    throw error;
  }
}

/** A condition's answer. Throws `BAKE_INVALID`, with `otherwise` where it is no bool. */
export function truth(condition: Expression, frame: Frame, otherwise: Words): boolean {
  const value = frame.run(condition);
  if (value === null)
    throw mistakeAt(
      condition.range,
      "Null condition",
      "The condition value is null. Conditions must either be true or false.",
    );
  try {
    return convert(value, "bool") === true;
  } catch (error) {
    if (!(error instanceof ConversionError)) throw error;
    throw mistakeAt(condition.range, otherwise.summary, otherwise.detail);
  }
}

export function runUnary({ operator, operand }: Kind<"unary">, frame: Frame): Value {
  if (operator === "!") return operandOf(operand, "bool", "unary", frame) !== true;
  return -Number(operandOf(operand, "number", "unary", frame));
}

/** Both sides are always evaluated, as in HCL. */
export function runBinary(expression: Kind<"binary">, frame: Frame): Value {
  const { operator, left, right, range } = expression;
  if (operator === "==" || operator === "!=") {
    const same = equalValues(frame.run(left), frame.run(right));
    return same === (operator === "==");
  }
  const type = operator === "&&" || operator === "||" ? "bool" : "number";
  const a = operandOf(left, type, "left", frame);
  const b = operandOf(right, type, "right", frame);
  if (operator === "&&") return a === true && b === true;
  if (operator === "||") return a === true || b === true;
  return finite(arithmetic(operator, Number(a), Number(b), range), range);
}

function operandOf(
  operand: Expression,
  type: Type,
  side: "unary" | "left" | "right",
  frame: Frame,
): Value {
  const value = frame.run(operand);
  if (value === null)
    throw mistakeAt(operand.range, "Operation failed", "argument must not be null.");
  const before = `Unsuitable value for ${side} operand: `;
  return converted(value, type, operand.range, "Invalid operand", before);
}
