// ENTRYPOINT: the program that a container is.
import { type CommandLine, readCommandLine } from "./command-line.ts";
import { noFlags } from "./flags.ts";
import { baseOf, type InstructionBase, type Request } from "./instruction.ts";

/** `ENTRYPOINT ["word", ...]` or `ENTRYPOINT line`; without words it takes the base's away. */
export interface EntrypointInstruction extends InstructionBase, CommandLine {
  readonly kind: "entrypoint";
}

export function parseEntrypoint(request: Request): EntrypointInstruction {
  noFlags(request);
  return { kind: "entrypoint", ...baseOf(request.node), ...readCommandLine(request) };
}
