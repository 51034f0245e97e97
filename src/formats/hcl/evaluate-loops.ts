// What goes over collections: `for` expressions and `%{ for }` of templates.
import { duplicateKey, keyText, pairsOf } from "./access.ts";
import type { ForExpression } from "./ast.ts";
import { truth } from "./evaluate-operations.ts";
import { joinText, textOf } from "./evaluate-text.ts";
import type { Frame, Kind } from "./frame.ts";
import { Mapping, Sequence, type Value } from "./value.ts";

const invalidCondition = {
  summary: "Invalid 'for' condition",
  detail: "The 'if' clause value is invalid: bool required.",
};

export function runTemplateFor(expression: Kind<"templateFor">, frame: Frame): Value {
  const { collection, body } = expression;
  const pairs = pairsOf(frame.run(collection), collection.range);
  const texts = pairs.map(([key, value]) => textOf(body, turn(expression, key, value, frame)));
  return joinText(texts, frame.scope);
}

export function runFor(expression: ForExpression, frame: Frame): Value {
  const { collection, condition, key: keyOf } = expression;
  const items: Value[] = [];
  const groups = new Map<string, Value[]>();
  const entries = new Map<string, Value>();
  for (const [key, value] of pairsOf(frame.run(collection), collection.range)) {
    frame.scope.budget.spend(1, collection.range);
    const inner = turn(expression, key, value, frame);
    if (condition && !truth(condition, inner, invalidCondition)) continue;
    const made = inner.run(expression.value);
    if (!keyOf) {
      items.push(made);
      continue;
    }
    const name = keyText(inner.run(keyOf), keyOf.range);
    if (expression.grouped) {
      const group = groups.get(name);
      if (group) group.push(made);
      else groups.set(name, [made]);
    } else if (entries.has(name)) throw duplicateKey(name, keyOf.range);
    else entries.set(name, made);
  }
  if (!keyOf) return new Sequence("tuple", items);
  if (!expression.grouped) return new Mapping("object", entries);
  return new Mapping(
    "object",
    [...groups].map(([name, values]) => [name, new Sequence("tuple", values)] as const),
  );
}

/** One turn of a loop: its variables are seen before all others. */
function turn(
  { keyName, valueName }: { readonly keyName: string | undefined; readonly valueName: string },
  key: Value,
  value: Value,
  frame: Frame,
): Frame {
  const names: [string, Value][] = keyName === undefined ? [] : [[keyName, key]];
  return frame.with(new Map([...names, [valueName, value]]));
}
