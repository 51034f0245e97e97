// ENTRYPOINT: the program that a container is.
import { type CommandLine, commandWords, inlineFiles } from "./command-line.ts";
import { noFlags } from "./flags.ts";
import type { InstructionBase, Request } from "./instruction.ts";

/** `ENTRYPOINT ["word", ...]` or `ENTRYPOINT line`; without words it takes the base's away. */
export interface EntrypointInstruction extends InstructionBase, CommandLine {
  readonly kind: "entrypoint";
}

export function parseEntrypoint(request: Request): EntrypointInstruction {
  noFlags(request);
  return {
    kind: "entrypoint",
    keyword: request.node.keyword,
    code: request.code,
    lines: request.node.lines,
    comments: request.node.comments,
    command: commandWords(request, request.args),
    shell: !request.node.json,
    files: inlineFiles(request),
  };
}
