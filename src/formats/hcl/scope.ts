// What an expression sees of its surroundings: variables, functions, and how much work it may make.
import type { Budget } from "./budget.ts";
import type { HclFunction } from "./function.ts";
import type { Range } from "./source.ts";
import type { Value } from "./value.ts";

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
