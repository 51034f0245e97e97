// SHELL: the words that go before every later line in shell form.
import { noFlags } from "./flags.ts";
import { type InstructionBase, Mistake, type Request, requireArguments } from "./instruction.ts";

/** `SHELL ["program", "argument", ...]`. */
export interface ShellInstruction extends InstructionBase {
  readonly kind: "shell";
  readonly shell: readonly string[];
}

export function parseShell(request: Request): ShellInstruction {
  noFlags(request);
  requireArguments(request);
  if (!request.node.json) {
    throw new Mistake("SHELL requires the arguments to be in JSON form", {
      word: request.args[0],
      hint: 'Write a JSON array with double quotes: SHELL ["/bin/bash", "-c"].',
    });
  }
  return {
    kind: "shell",
    keyword: request.node.keyword,
    code: request.code,
    lines: request.node.lines,
    comments: request.node.comments,
    shell: request.args,
  };
}
