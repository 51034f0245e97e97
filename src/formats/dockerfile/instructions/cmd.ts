// CMD: what a container runs when it is told nothing else.
import { type CommandLine, readCommandLine } from "./command-line.ts";
import { noFlags } from "./flags.ts";
import { baseOf, type InstructionBase, type Request } from "./instruction.ts";

/** `CMD ["word", ...]` or `CMD line`. */
export interface CmdInstruction extends InstructionBase, CommandLine {
  readonly kind: "cmd";
}

export function parseCmd(request: Request): CmdInstruction {
  noFlags(request);
  return { kind: "cmd", ...baseOf(request.node), ...readCommandLine(request) };
}
