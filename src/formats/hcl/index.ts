// HCL: its two syntaxes, its expressions and the functions that bake files may use.
export type { Attribute, Block, Body, Expression } from "./ast.ts";
export { bareWord } from "./ast.ts";
export { Budget } from "./budget.ts";
export { evaluate } from "./evaluate.ts";
export type { HclFunction, Param } from "./function.ts";
export { type Ambient, standardFunctions } from "./functions/index.ts";
export { parseHcl } from "./parse-body.ts";
export { type BlockSchema, parseHclJson } from "./parse-json.ts";
export { type Scope, withVariables } from "./scope.ts";
export { mistakeAt, type Range, type Source } from "./source.ts";
export {
  ConversionError,
  convert,
  convertJson,
  readType,
  type Type,
  typeSource,
  typeText,
} from "./types.ts";
export {
  compareText,
  Mapping,
  numberText,
  Sequence,
  toJson,
  typeName,
  type Value,
} from "./value.ts";
