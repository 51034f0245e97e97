// Expressions to values (HCL spec, Expressions). Work is counted, so that no file keeps a machine busy for long.
import { isKilnError, type KilnError } from "../../base/index.ts";
import type { BinaryOperator, Expression, ForExpression } from "./ast.ts";
import { commonFunctionError, FunctionError, type HclFunction } from "./function.ts";
import { mistakeAt, type Range } from "./source.ts";
import { suggestion } from "./suggestion.ts";
import { ConversionError, commonType, convert, type Type } from "./types.ts";
import { equalValues, Mapping, Sequence, settled, typeName, type Value } from "./value.ts";

/** Steps of evaluation in one bake: expressions, and elements that functions make. */
const maxWork = 1_000_000;
/** Longest text that a template may make, in UTF-16 units. */
const maxTextLength = 16 << 20;
/** Functions of files inside functions of files. */
const maxCalls = 200;

/** What is left of the work that one reading may do, shared by all scopes of it. */
export class Budget {
  #left: number = maxWork;
  #calls = 0;

  /** Throws `BAKE_INVALID` when nothing is left. */
  spend(amount: number, range?: Range): void {
    this.#left -= amount;
    if (this.#left < 0)
      throw mistakeAt(range, "Too much work", `Evaluation takes more than ${maxWork} steps.`);
  }

  /** Runs inside one more function. */
  enter<T>(range: Range, work: () => T): T {
    if (++this.#calls > maxCalls)
      throw mistakeAt(range, "Functions too deep", `At most ${maxCalls} calls in each other.`);
    try {
      return work();
    } finally {
      this.#calls--;
    }
  }
}

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

/** The value as a value of the type. */
export function evaluateAs(expression: Expression, type: Type, scope: Scope): Value {
  return converted(
    evaluate(expression, scope),
    type,
    expression.range,
    "Unsuitable value type",
    "Unsuitable value: ",
  );
}

function converted(value: Value, type: Type, range: Range, summary: string, before: string): Value {
  try {
    return convert(value, type);
  } catch (error) {
    if (!(error instanceof ConversionError)) throw error;
    throw mistakeAt(
      range,
      summary,
      `${before}${error.message}${before.startsWith("Unsuitable value:") ? "" : "."}`,
    );
  }
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

/** Keys and values that `for` goes through. */
function pairsOf(collection: Value, range: Range): readonly (readonly [Value, Value])[] {
  if (collection instanceof Mapping) return [...collection.entries];
  if (collection instanceof Sequence)
    return collection.items.map((item, at) => [collection.kind === "set" ? item : at, item]);
  throw collection === null
    ? mistakeAt(
        range,
        "Iteration over null value",
        "A null value cannot be used as the collection in a 'for' expression.",
      )
    : mistakeAt(
        range,
        "Iteration over non-iterable value",
        `A value of type ${typeName(collection)} cannot be used as the collection in a 'for' expression.`,
      );
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
    if (!found) throw unknownVariable(root.name, root.range, scope);
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

function unknownVariable(name: string, range: Range, scope: Scope): KilnError {
  const near = suggestion(name, scope.names());
  const more = near === undefined ? "" : ` Did you mean ${JSON.stringify(near)}?`;
  return mistakeAt(
    range,
    "Unknown variable",
    `There is no variable named ${JSON.stringify(name)}.${more}`,
  );
}

function attributeOf(value: Value, name: string, range: Range): Value {
  if (value === null) {
    throw mistakeAt(
      range,
      "Attempt to get attribute from null value",
      "This value is null, so it does not have any attributes.",
    );
  }
  if (value instanceof Mapping) {
    const found = value.entries.get(name);
    if (found !== undefined) return found;
    throw value.kind === "map"
      ? mistakeAt(
          range,
          "Missing map element",
          `This map does not have an element with the key ${JSON.stringify(name)}.`,
        )
      : mistakeAt(
          range,
          "Unsupported attribute",
          `This object does not have an attribute named ${JSON.stringify(name)}.`,
        );
  }
  throw mistakeAt(range, "Unsupported attribute", "This value does not have any attributes.");
}

function indexOf(value: Value, key: Value, range: Range): Value {
  if (value === null) {
    throw mistakeAt(
      range,
      "Attempt to index null value",
      "This value is null, so it does not have any indices.",
    );
  }
  if (key === null)
    throw mistakeAt(range, "Invalid index", "Can't use a null value as an indexing key.");
  if (value instanceof Mapping) {
    const name = converted(
      key,
      "string",
      range,
      "Invalid index",
      "The given key does not identify an element in this collection value: ",
    );
    const found = value.entries.get(String(name));
    if (found !== undefined) return found;
    throw mistakeAt(
      range,
      "Invalid index",
      "The given key does not identify an element in this collection value.",
    );
  }
  if (!(value instanceof Sequence) || value.kind === "set") {
    throw mistakeAt(
      range,
      "Invalid index",
      value instanceof Sequence
        ? "Elements of a set are identified only by their value and don't have any separate index or key to select with, so it's only possible to perform operations across all elements of the set."
        : "This value does not have any indices.",
    );
  }
  const number = Number(
    converted(
      key,
      "number",
      range,
      "Invalid index",
      "The given key does not identify an element in this collection value: ",
    ),
  );
  const found = Number.isInteger(number) ? value.items[number] : undefined;
  if (found !== undefined) return found;
  throw mistakeAt(
    range,
    "Invalid index",
    "The given key does not identify an element in this collection value.",
  );
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

function keyText(value: Value, range: Range): string {
  if (value === null)
    throw mistakeAt(range, "Null value as key", "Can't use a null value as a key.");
  return String(
    converted(value, "string", range, "Incorrect key type", "Can't use this value as a key: "),
  );
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

/** Both sides of a conditional have one type: text and a number are both text. */
function unified(
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

function finite(value: Value, range: Range): Value {
  if (typeof value !== "number" || Number.isFinite(value)) return value;
  throw mistakeAt(range, "Operation failed", "The number is too large.");
}

function arithmetic(operator: BinaryOperator, a: number, b: number, range: Range): Value {
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

function duplicateKey(name: string, range: Range): KilnError {
  return mistakeAt(
    range,
    "Duplicate object key",
    `Two different items produced the key ${JSON.stringify(name)} in this 'for' expression. If duplicates are expected, use the ellipsis (...) after the value expression to enable grouping by key.`,
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

function spread(args: Value[], call: Kind<"call">): void {
  const last = args.pop();
  if (last instanceof Sequence) args.push(...last.items);
  else
    throw mistakeAt(
      call.args.at(-1)?.range,
      "Invalid expanding argument value",
      "The expanding argument (indicated by ...) must be of a tuple, list, or set type.",
    );
}

function checkedArgs(
  found: HclFunction,
  call: Kind<"call">,
  args: readonly Value[],
  rangeOf: (at: number) => Range,
): Value[] {
  const { params, rest } = found;
  const quoted = JSON.stringify(call.name);
  const missing = params[args.length];
  if (missing) {
    const more = rest ? "at least " : "";
    throw mistakeAt(
      call.range,
      "Not enough function arguments",
      `Function ${quoted} expects ${more}${params.length} argument(s). Missing value for ${JSON.stringify(missing.name)}.`,
    );
  }
  if (!rest && args.length > params.length) {
    throw mistakeAt(
      rangeOf(params.length),
      "Too many function arguments",
      `Function ${quoted} expects only ${params.length} argument(s).`,
    );
  }
  return args.map((arg, at) => {
    const param = params[at] ?? rest;
    if (!param) return arg;
    const before = `Invalid value for ${JSON.stringify(param.name)} parameter: `;
    if (arg === null && !param.nullable)
      throw mistakeAt(
        rangeOf(at),
        "Invalid function argument",
        `${before}argument must not be null.`,
      );
    return converted(arg, param.type, rangeOf(at), "Invalid function argument", before);
  });
}

function functionMistake(
  error: unknown,
  call: Kind<"call">,
  found: HclFunction,
  rangeOf: (at: number) => Range,
): unknown {
  if (error instanceof ConversionError)
    return mistakeAt(
      call.range,
      "Error in function call",
      `Call to function ${JSON.stringify(call.name)} failed: ${error.message}.`,
    );
  if (!(error instanceof FunctionError)) return error;
  const { argument } = error;
  if (argument === undefined)
    return mistakeAt(
      call.range,
      "Error in function call",
      commonFunctionError(call.name, error.message),
    );
  const param = found.params[argument] ?? found.rest;
  return mistakeAt(
    rangeOf(argument),
    "Invalid function argument",
    `Invalid value for ${JSON.stringify(param?.name ?? "")} parameter: ${error.message}.`,
  );
}
