// What a function is to the evaluator, and how it says that it cannot do what is asked.
import type { KilnError } from "../../base/index.ts";
import type { Expression } from "./ast.ts";
import type { Type } from "./types.ts";
import type { Value } from "./value.ts";

export interface Param {
  readonly name: string;
  readonly type: Type;
  /** Null is let through. */
  readonly nullable?: boolean;
}

export interface HclFunction {
  readonly params: readonly Param[];
  /** Of any number of further arguments. */
  readonly rest?: Param;
  /** Arguments have been checked and converted. `spend` counts work that grows with them. */
  readonly call: (args: readonly Value[], spend: (amount: number) => void) => Value;
  /** In place of `call`, for functions that look at whether an argument has a value at all. */
  readonly lazy?: (
    args: readonly (() => Value)[],
    fail: (summary: string, detail: string) => KilnError,
  ) => Value;
  /** In place of `call`, for functions that read an argument as something else than a value. */
  readonly expressions?: (
    args: readonly Expression[],
    evaluate: (arg: Expression) => Value,
    fail: (summary: string, detail: string) => KilnError,
  ) => Value;
}

/** A call that makes no sense; `argument` counts from 0 where one of them is to blame. */
export class FunctionError extends Error {
  readonly argument: number | undefined;

  constructor(message: string, argument?: number) {
    super(message);
    this.argument = argument;
  }
}

/** In the words of HCL. */
export function commonFunctionError(name: string, message: string): string {
  return `Call to function ${JSON.stringify(name)} failed: ${message}.`;
}
