// Go's text/template, as far as formats on command lines use it, with the functions of docker's formatter.
import { executeTree } from "./execute.ts";
import { standardFunctions, type TemplateFunctions } from "./functions.ts";
import { parseTree } from "./parse.ts";

export type { TemplateFunction, TemplateFunctions } from "./functions.ts";
export { arranged, jsonOf, type Shape, Struct, structOf } from "./values.ts";

export interface Template {
  /** What the template prints for a value. Throws `TEMPLATE_INVALID`. */
  execute(data: unknown): string;
}

/** `functions` are added to the usual ones, or take their places. Throws `TEMPLATE_INVALID`. */
export function parseTemplate(text: string, functions: TemplateFunctions = {}): Template {
  const all = { ...standardFunctions, ...functions };
  const tree = parseTree(text, new Set(Object.keys(all)));
  return { execute: (data) => executeTree(tree, all, data) };
}
