// EXPOSE: ports that a container listens on.
import { compareText } from "../text.ts";
import { noFlags } from "./flags.ts";
import { type InstructionBase, type Request, requireArguments } from "./instruction.ts";

/** `EXPOSE <port>[/<protocol>] ...`; a word may expand to several ports. */
export interface ExposeInstruction extends InstructionBase {
  readonly kind: "expose";
  /** Sorted, variables as written. */
  readonly ports: readonly string[];
}

export function parseExpose(request: Request): ExposeInstruction {
  requireArguments(request);
  noFlags(request);
  return {
    kind: "expose",
    keyword: request.node.keyword,
    code: request.code,
    lines: request.node.lines,
    comments: request.node.comments,
    ports: [...request.args].sort(compareText),
  };
}
