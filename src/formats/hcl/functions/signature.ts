// Short words for the signatures of functions.
import type { HclFunction, Param } from "../function.ts";
import { listOf } from "../types.ts";
import type { Sequence, Value } from "../value.ts";

/** A function of a fixed number of arguments. */
export function simple(
  params: readonly Param[],
  call: (args: readonly Value[], spend: (amount: number) => void) => Value,
): HclFunction {
  return { params, call };
}

/** A parameter that is text. */
export function text(name: string): Param {
  return { name, type: "string" };
}

/** A parameter that is a number. */
export function number(name: string): Param {
  return { name, type: "number" };
}

/** A parameter of any type. */
export function any(name: string): Param {
  return { name, type: "any" };
}

/** A parameter of any type, or null. */
export function nullable(name: string): Param {
  return { name, type: "any", nullable: true };
}

/** A list of items of one type. */
export function list(items: readonly Value[]): Sequence {
  return listOf(items);
}
