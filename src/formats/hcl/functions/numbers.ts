// Functions of numbers and truth values, and the operators that have names.
import { FunctionError, type HclFunction } from "../function.ts";
import { equalValues, settled, type Value } from "../value.ts";
import { nullable, number, simple } from "./signature.ts";

const two = [number("a"), number("b")];
const one = [number("num")];
const truths = [
  { name: "a", type: "bool" },
  { name: "b", type: "bool" },
] as const;

function divided(a: number, b: number): number {
  if (b === 0) throw new FunctionError("cannot divide by zero");
  return a / b;
}

function compared(compare: (a: number, b: number) => boolean): HclFunction {
  return simple(two, ([a, b]) => compare(Number(a), Number(b)));
}

function computed(compute: (a: number, b: number) => number): HclFunction {
  return simple(two, ([a, b]) => settled(compute(Number(a), Number(b))));
}

function single(compute: (value: number) => number): HclFunction {
  return simple(one, ([value]) => {
    const result = compute(Number(value));
    if (Number.isNaN(result)) throw new FunctionError("the result is not a number");
    return settled(result);
  });
}

function extreme(choose: (...values: number[]) => number): HclFunction {
  return {
    params: [],
    rest: number("numbers"),
    call: (values: readonly Value[]) => {
      if (values.length === 0) throw new FunctionError("must pass at least one number");
      return values.map(Number).reduce((a, b) => choose(a, b));
    },
  };
}

export const numberFunctions: Readonly<Record<string, HclFunction>> = {
  absolute: single(Math.abs),
  add: computed((a, b) => a + b),
  and: simple(truths, ([a, b]) => a === true && b === true),
  ceil: single(Math.ceil),
  divide: computed(divided),
  equal: simple([nullable("a"), nullable("b")], ([a, b]) => equalValues(a ?? null, b ?? null)),
  floor: single(Math.floor),
  greaterthan: compared((a, b) => a > b),
  greaterthanorequalto: compared((a, b) => a >= b),
  int: single(Math.trunc),
  lessthan: compared((a, b) => a < b),
  lessthanorequalto: compared((a, b) => a <= b),
  log: simple([number("num"), number("base")], ([value, base]) =>
    settled(Math.log(Number(value)) / Math.log(Number(base))),
  ),
  max: extreme(Math.max),
  min: extreme(Math.min),
  modulo: computed((a, b) => a - b * Math.trunc(divided(a, b))),
  multiply: computed((a, b) => a * b),
  negate: single((value) => -value),
  not: simple([{ name: "val", type: "bool" }], ([value]) => value !== true),
  notequal: simple([nullable("a"), nullable("b")], ([a, b]) => !equalValues(a ?? null, b ?? null)),
  or: simple(truths, ([a, b]) => a === true || b === true),
  pow: simple([number("num"), number("power")], ([value, power]) =>
    settled(Number(value) ** Number(power)),
  ),
  signum: single(Math.sign),
  subtract: computed((a, b) => a - b),
};
