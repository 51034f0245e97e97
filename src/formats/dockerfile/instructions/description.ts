// Comments above FROM and ARG, which should describe the stage or the variable.
import { invalidDefinitionDescription } from "../lint/invalid-definition-description.ts";
import { isCheckComment } from "../lint/options.ts";
import type { Request } from "./instruction.ts";

/** Warns when the last comment line above does not begin with what it should describe. */
export function checkDescription(request: Request, names: readonly string[]): void {
  const last = request.node.comments.findLast((comment) => !isCheckComment(comment));
  const [example] = names;
  if (last === undefined || example === undefined || names.includes(last.split(" ", 1)[0] ?? ""))
    return;
  const instruction = request.node.keyword.toUpperCase();
  const subject = names.length > 1 ? "<arg_key>" : example;
  request.linter.warn(invalidDefinitionDescription, request.node.lines, instruction, subject);
}
