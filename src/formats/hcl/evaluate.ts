// Expressions to values (HCL spec, Expressions). Work is counted, so that no file keeps a machine busy for long.
import { attributeOf, indexOf, keyText, unknownVariable } from "./access.ts";
import type { Expression } from "./ast.ts";
import { runCall } from "./evaluate-call.ts";
import { runFor, runTemplateFor } from "./evaluate-loops.ts";
import { runBinary, runConditional, runUnary } from "./evaluate-operations.ts";
import { runTemplate } from "./evaluate-text.ts";
import type { Frame, Kind } from "./frame.ts";
import { type Scope, withVariables } from "./scope.ts";
import type { Range } from "./source.ts";
import { Mapping, Sequence, type Value } from "./value.ts";

/** The value of an expression. Throws `BAKE_INVALID` with the place. */
export function evaluate(expression: Expression, scope: Scope): Value {
  return frameOf(scope, null).run(expression);
}

function frameOf(scope: Scope, element: Value): Frame {
  const frame: Frame = {
    scope,
    element,
    run: (part) => run(part, frame),
    at: (next) => frameOf(scope, next),
    with: (variables) => frameOf(withVariables(scope, variables), element),
  };
  return frame;
}

function run(expression: Expression, frame: Frame): Value {
  frame.scope.budget.spend(1, expression.range);
  switch (expression.kind) {
    case "literal":
      return expression.value;
    case "element":
      return frame.element;
    case "group":
      return frame.run(expression.inner);
    case "template":
      return runTemplate(expression, frame);
    case "templateFor":
      return runTemplateFor(expression, frame);
    case "variable":
    case "attribute":
    case "index":
      return runPath(expression, frame);
    case "splat":
      return runSplat(expression, frame);
    case "call":
      return runCall(expression, frame);
    case "conditional":
      return runConditional(expression, frame);
    case "binary":
      return runBinary(expression, frame);
    case "unary":
      return runUnary(expression, frame);
    case "tuple":
      return new Sequence("tuple", expression.items.map(frame.run));
    case "object":
      return runObject(expression, frame);
    case "for":
      return runFor(expression, frame);
  }
}

/** A variable and what is taken from it: as much of the path as the scope knows is looked up at once. */
function runPath(expression: Expression, frame: Frame): Value {
  const steps: Exclude<Expression, { kind: "literal" }>[] = [];
  let root = expression;
  while (root.kind === "attribute" || root.kind === "index") {
    steps.unshift(root);
    root = root.object;
  }
  let value: Value;
  let at = 0;
  if (root.kind === "variable") {
    const path = [root.name];
    for (const step of steps) {
      const name = staticName(step);
      if (name === undefined) break;
      path.push(name);
    }
    const { scope } = frame;
    const found = scope.resolve(path, spanOf(root, steps, path.length));
    if (!found) throw unknownVariable(root.name, root.range, scope.names());
    value = found.value;
    at = found.used - 1;
  } else value = frame.run(root);
  for (const step of steps.slice(at)) {
    if (step.kind === "attribute") value = attributeOf(value, step.name, step.range);
    else if (step.kind === "index") value = indexOf(value, frame.run(step.key), step.range);
  }
  return value;
}

function spanOf(root: Expression, steps: readonly Expression[], length: number): Range {
  const last = steps[length - 2];
  return last === undefined ? root.range : { ...root.range, end: last.range.end };
}

function staticName(step: Expression): string | undefined {
  if (step.kind === "attribute") return step.name;
  if (step.kind !== "index" || step.key.kind !== "literal") return undefined;
  return typeof step.key.value === "string" ? step.key.value : undefined;
}

/** A value that is no sequence is one of one element, and null of none. */
function runSplat({ source, each }: Kind<"splat">, frame: Frame): Value {
  const value = frame.run(source);
  if (value === null) return new Sequence("tuple", []);
  const items = value instanceof Sequence ? value.items : [value];
  return new Sequence(
    "tuple",
    items.map((item) => frame.at(item).run(each)),
  );
}

function runObject({ items }: Kind<"object">, frame: Frame): Value {
  const entries = items.map(({ key, value }): [string, Value] => [
    keyText(frame.run(key), key.range),
    frame.run(value),
  ]);
  return new Mapping("object", entries);
}
