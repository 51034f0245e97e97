// Arguments of calls: counted, checked, converted; and what is said when a function cannot do its work.
import { converted } from "./access.ts";
import type { Kind } from "./frame.ts";
import { commonFunctionError, FunctionError, type HclFunction } from "./function.ts";
import { mistakeAt, type Range } from "./source.ts";
import { ConversionError } from "./types.ts";
import { Sequence, type Value } from "./value.ts";

/** Puts the elements of the last argument in its place. */
export function spread(args: Value[], call: Kind<"call">): void {
  const last = args.pop();
  if (last instanceof Sequence) args.push(...last.items);
  else
    throw mistakeAt(
      call.args.at(-1)?.range,
      "Invalid expanding argument value",
      "The expanding argument (indicated by ...) must be of a tuple, list, or set type.",
    );
}

/** The arguments as the function takes them. Throws for those that it does not. */
export function checkedArgs(
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

/** What a function throws, as a mistake in the file. */
export function functionMistake(
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
