// Expressions to values (HCL spec, Expressions). Work is counted, so that no file keeps a machine busy for long.
import { isKilnError } from "../../base/index.ts";
import {
  attributeOf,
  converted,
  duplicateKey,
  indexOf,
  keyText,
  pairsOf,
  unknownVariable,
} from "./access.ts";
import { checkedArgs, functionMistake, spread } from "./arguments.ts";
import type { Expression, ForExpression } from "./ast.ts";
import type { Budget } from "./budget.ts";
import type { HclFunction } from "./function.ts";
import { arithmetic, finite, unified } from "./operators.ts";
import { mistakeAt, type Range } from "./source.ts";
import { suggestion } from "./suggestion.ts";
import { ConversionError, convert, type Type } from "./types.ts";
import { equalValues, Mapping, Sequence, type Value } from "./value.ts";

/** Longest text that a template may make, in UTF-16 units. */
const maxTextLength = 16 << 20;

/** Where names are looked up. */
export interface Scope {
  readonly budget: Budget;
  /** The value that a path of names stands for, of which `used` names were needed. Undefined where there is no such name. */
  resolve(
    path: readonly string[],
    range: Range,
  ): { readonly value: Value; readonly used: number } | undefined;
  /** Names that could have been meant. */
  names(): readonly string[];
  /** Undefined where there is none. */
  function(name: string, range: Range): HclFunction | undefined;
  functionNames(): readonly string[];
}

/** The same scope with further variables before all others. */
export function withVariables(scope: Scope, variables: ReadonlyMap<string, Value>): Scope {
  return {
    ...scope,
    budget: scope.budget,
    resolve: (path, range) => {
      const value = variables.get(path[0] ?? "");
      return value === undefined ? scope.resolve(path, range) : { value, used: 1 };
    },
    names: () => [...variables.keys(), ...scope.names()],
    function: (name, range) => scope.function(name, range),
    functionNames: () => scope.functionNames(),
  };
}

/** The value of an expression. Throws `BAKE_INVALID` with the place. */
export function evaluate(expression: Expression, scope: Scope): Value {
  return run(expression, scope, undefined);
}

function run(expression: Expression, scope: Scope, element: Value | undefined): Value {
  scope.budget.spend(1, expression.range);
  switch (expression.kind) {
    case "literal":
      return expression.value;
    case "element":
      return element ?? null;
    case "group":
      return run(expression.inner, scope, element);
    case "template":
      return runTemplate(expression, scope, element);
    case "templateFor":
      return runTemplateFor(expression, scope, element);
    case "variable":
    case "attribute":
    case "index":
      return runPath(expression, scope, element);
    case "splat":
      return runSplat(expression, scope, element);
    case "call":
      return runCall(expression, scope, element);
    case "conditional":
      return runConditional(expression, scope, element);
    case "binary":
      return runBinary(expression, scope, element);
    case "unary":
      return runUnary(expression, scope, element);
    case "tuple":
      return new Sequence(
        "tuple",
        expression.items.map((item) => run(item, scope, element)),
      );
    case "object":
      return runObject(expression, scope, element);
    case "for":
      return runFor(expression, scope, element);
  }
}

type Kind<K extends Expression["kind"]> = Extract<Expression, { kind: K }>;

function runTemplate(
  { parts, wrapped }: Kind<"template">,
  scope: Scope,
  element: Value | undefined,
): Value {
  const [only] = parts;
  if (wrapped && only) return run(only, scope, element);
  return joinText(
    parts.map((part) => textOf(part, scope, element)),
    scope,
  );
}

function textOf(part: Expression, scope: Scope, element: Value | undefined): string {
  const value = run(part, scope, element);
  if (value === null) {
    throw mistakeAt(
      part.range,
      "Invalid template interpolation value",
      "The expression result is null. Cannot include a null value in a string template.",
    );
  }
  const summary = "Invalid template interpolation value";
  const before = "Cannot include the given value in a string template: ";
  return String(converted(value, "string", part.range, summary, before));
}

function joinText(texts: readonly string[], scope: Scope): string {
  const length = texts.reduce((sum, text) => sum + text.length, 0);
  if (length > maxTextLength)
    throw mistakeAt(undefined, "Text too long", `At most ${maxTextLength} characters.`);
  scope.budget.spend(length >> 6);
  return texts.join("");
}

function runTemplateFor(
  expression: Kind<"templateFor">,
  scope: Scope,
  element: Value | undefined,
): Value {
  const { collection, body, keyName, valueName } = expression;
  const pairs = pairsOf(run(collection, scope, element), collection.range);
  const texts = pairs.map(([key, value]) => {
    const inner = withVariables(scope, loopVariables(keyName, key, valueName, value));
    return textOf(body, inner, element);
  });
  return joinText(texts, scope);
}

function loopVariables(
  keyName: string | undefined,
  key: Value,
  valueName: string,
  value: Value,
): ReadonlyMap<string, Value> {
  const names: [string, Value][] = keyName === undefined ? [] : [[keyName, key]];
  return new Map([...names, [valueName, value]]);
}

/** A variable and what is taken from it: as much of the path as the scope knows is looked up at once. */
function runPath(expression: Expression, scope: Scope, element: Value | undefined): Value {
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
    const found = scope.resolve(path, spanOf(root, steps, path.length));
    if (!found) throw unknownVariable(root.name, root.range, scope.names());
    value = found.value;
    at = found.used - 1;
  } else value = run(root, scope, element);
  for (const step of steps.slice(at)) {
    if (step.kind === "attribute") value = attributeOf(value, step.name, step.range);
    else if (step.kind === "index")
      value = indexOf(value, run(step.key, scope, element), step.range);
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
function runSplat(
  { source, each }: Kind<"splat">,
  scope: Scope,
  element: Value | undefined,
): Value {
  const value = run(source, scope, element);
  if (value === null) return new Sequence("tuple", []);
  const items = value instanceof Sequence ? value.items : [value];
  return new Sequence(
    "tuple",
    items.map((item) => run(each, scope, item)),
  );
}

function runObject({ items }: Kind<"object">, scope: Scope, element: Value | undefined): Value {
  const entries = items.map(({ key, value }): [string, Value] => [
    keyText(run(key, scope, element), key.range),
    run(value, scope, element),
  ]);
  return new Mapping("object", entries);
}

function runConditional(
  { condition, yes, no }: Kind<"conditional">,
  scope: Scope,
  element: Value | undefined,
): Value {
  const chosen = truth(
    condition,
    scope,
    element,
    "Incorrect condition type",
    "The condition expression must be of type bool.",
  );
  const value = run(chosen ? yes : no, scope, element);
  const other = quietly(() => run(chosen ? no : yes, scope, element));
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

function truth(
  expression: Expression,
  scope: Scope,
  element: Value | undefined,
  summary: string,
  detail: string,
): boolean {
  const value = run(expression, scope, element);
  if (value === null)
    throw mistakeAt(
      expression.range,
      "Null condition",
      "The condition value is null. Conditions must either be true or false.",
    );
  try {
    return convert(value, "bool") === true;
  } catch (error) {
    if (!(error instanceof ConversionError)) throw error;
    throw mistakeAt(expression.range, summary, detail);
  }
}

function runUnary(
  { operator, operand }: Kind<"unary">,
  scope: Scope,
  element: Value | undefined,
): Value {
  const value = operandOf(
    operand,
    operator === "!" ? "bool" : "number",
    scope,
    element,
    "Invalid operand",
    "Unsuitable value for unary operand: ",
  );
  return operator === "!" ? value !== true : -Number(value);
}

function operandOf(
  operand: Expression,
  type: Type,
  scope: Scope,
  element: Value | undefined,
  summary: string,
  before: string,
): Value {
  const value = run(operand, scope, element);
  if (value === null)
    throw mistakeAt(operand.range, "Operation failed", "argument must not be null.");
  return converted(value, type, operand.range, summary, before);
}

function runBinary(expression: Kind<"binary">, scope: Scope, element: Value | undefined): Value {
  const { operator, left, right, range } = expression;
  if (operator === "==" || operator === "!=") {
    const same = equalValues(run(left, scope, element), run(right, scope, element));
    return same === (operator === "==");
  }
  const type = operator === "&&" || operator === "||" ? "bool" : "number";
  const a = operandOf(
    left,
    type,
    scope,
    element,
    "Invalid operand",
    "Unsuitable value for left operand: ",
  );
  const b = operandOf(
    right,
    type,
    scope,
    element,
    "Invalid operand",
    "Unsuitable value for right operand: ",
  );
  if (operator === "&&") return a === true && b === true;
  if (operator === "||") return a === true || b === true;
  return finite(arithmetic(operator, Number(a), Number(b), range), range);
}

function runFor(expression: ForExpression, scope: Scope, element: Value | undefined): Value {
  const { collection, keyName, valueName, condition } = expression;
  const items: Value[] = [];
  const groups = new Map<string, Value[]>();
  const entries = new Map<string, Value>();
  for (const [key, value] of pairsOf(run(collection, scope, element), collection.range)) {
    scope.budget.spend(1, collection.range);
    const inner = withVariables(scope, loopVariables(keyName, key, valueName, value));
    if (
      condition &&
      !truth(
        condition,
        inner,
        element,
        "Invalid 'for' condition",
        "The 'if' clause value is invalid: bool required.",
      )
    )
      continue;
    const made = run(expression.value, inner, element);
    if (!expression.key) {
      items.push(made);
      continue;
    }
    const name = keyText(run(expression.key, inner, element), expression.key.range);
    if (expression.grouped) groups.set(name, [...(groups.get(name) ?? []), made]);
    else if (entries.has(name)) throw duplicateKey(name, expression.key.range);
    else entries.set(name, made);
  }
  if (!expression.key) return new Sequence("tuple", items);
  if (!expression.grouped) return new Mapping("object", entries);
  return new Mapping(
    "object",
    [...groups].map(([name, values]) => [name, new Sequence("tuple", values)] as const),
  );
}

function runCall(call: Kind<"call">, scope: Scope, element: Value | undefined): Value {
  const found = scope.function(call.name, call.nameRange);
  if (!found) {
    const near = suggestion(call.name, scope.functionNames());
    const more = near === undefined ? "" : ` Did you mean ${JSON.stringify(near)}?`;
    throw mistakeAt(
      call.nameRange,
      "Call to unknown function",
      `There is no function named ${JSON.stringify(call.name)}.${more}`,
    );
  }
  const fail = (summary: string, detail: string) => mistakeAt(call.range, summary, detail);
  if (found.lazy)
    return found.lazy(
      call.args.map((arg) => () => run(arg, scope, element)),
      fail,
    );
  const args = found.expressions ? [] : call.args.map((arg) => run(arg, scope, element));
  if (call.expand) spread(args, call);
  const ranges = (at: number) => call.args[Math.min(at, call.args.length - 1)]?.range ?? call.range;
  const given = found.expressions ? [] : checkedArgs(found, call, args, ranges);
  scope.budget.spend(1 + found.params.length, call.range);
  try {
    if (found.expressions)
      return found.expressions(call.args, (arg) => run(arg, scope, element), fail);
    const result = scope.budget.enter(call.range, () =>
      found.call(given, (amount) => scope.budget.spend(amount, call.range)),
    );
    return finite(result, call.range);
  } catch (error) {
    throw functionMistake(error, call, found, ranges);
  }
}
