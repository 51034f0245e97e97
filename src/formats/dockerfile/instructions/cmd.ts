// CMD: what a container runs when it is told nothing else.
import { type CommandLine, commandWords, inlineFiles } from "./command-line.ts";
import { noFlags } from "./flags.ts";
import type { InstructionBase, Request } from "./instruction.ts";

/** `CMD ["word", ...]` or `CMD line`. */
export interface CmdInstruction extends InstructionBase, CommandLine {
  readonly kind: "cmd";
}

export function parseCmd(request: Request): CmdInstruction {
  noFlags(request);
  return {
    kind: "cmd",
    keyword: request.node.keyword,
    code: request.code,
    lines: request.node.lines,
    comments: request.node.comments,
    command: commandWords(request, request.args),
    shell: !request.node.json,
    files: inlineFiles(request),
  };
}
