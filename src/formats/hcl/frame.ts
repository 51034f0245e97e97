// What a kind of expression needs to find its value: the scope, and the way to the values of its parts.
import type { Expression } from "./ast.ts";
import type { Scope } from "./scope.ts";
import type { Value } from "./value.ts";

/** An expression of one kind. */
export type Kind<K extends Expression["kind"]> = Extract<Expression, { kind: K }>;

/** Where an expression stands while its value is found. */
export interface Frame {
  readonly scope: Scope;
  /** What a splat goes over at the moment, null outside of splats. */
  readonly element: Value;
  /** The value of a part. Throws `BAKE_INVALID` with the place. */
  run(part: Expression): Value;
  /** The same place for each element of a splat. */
  at(element: Value): Frame;
  /** The same place with further variables. */
  with(variables: ReadonlyMap<string, Value>): Frame;
}
