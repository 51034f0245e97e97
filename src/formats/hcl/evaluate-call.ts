// Calls of functions: the one that is meant, its arguments, and its mistakes told with their place.
import { checkedArgs, functionMistake, spread } from "./arguments.ts";
import type { Frame, Kind } from "./frame.ts";
import type { HclFunction } from "./function.ts";
import { finite } from "./operators.ts";
import type { Scope } from "./scope.ts";
import { mistakeAt } from "./source.ts";
import { suggestion } from "./suggestion.ts";
import type { Value } from "./value.ts";

export function runCall(call: Kind<"call">, frame: Frame): Value {
  const { scope } = frame;
  const found = functionOf(call, scope);
  const fail = (summary: string, detail: string) => mistakeAt(call.range, summary, detail);
  if (found.lazy)
    return found.lazy(
      call.args.map((arg) => () => frame.run(arg)),
      fail,
    );
  const args = found.expressions ? [] : call.args.map(frame.run);
  if (call.expand) spread(args, call);
  const ranges = (at: number) => call.args[Math.min(at, call.args.length - 1)]?.range ?? call.range;
  const given = found.expressions ? [] : checkedArgs(found, call, args, ranges);
  scope.budget.spend(1 + found.params.length, call.range);
  try {
    if (found.expressions) return found.expressions(call.args, frame.run, fail);
    const result = scope.budget.enter(call.range, () =>
      found.call(given, (amount) => scope.budget.spend(amount, call.range)),
    );
    return finite(result, call.range);
  } catch (error) {
    throw functionMistake(error, call, found, ranges);
  }
}

function functionOf(call: Kind<"call">, scope: Scope): HclFunction {
  const found = scope.function(call.name, call.nameRange);
  if (found) return found;
  const near = suggestion(call.name, scope.functionNames());
  const more = near === undefined ? "" : ` Did you mean ${JSON.stringify(near)}?`;
  throw mistakeAt(
    call.nameRange,
    "Call to unknown function",
    `There is no function named ${JSON.stringify(call.name)}.${more}`,
  );
}
