// WORKDIR: the directory of later steps and of containers.
import { noFlags } from "./flags.ts";
import {
  type ExpandWord,
  type InstructionBase,
  onlyArgument,
  type Request,
} from "./instruction.ts";

/** `WORKDIR <path>`; a relative path goes on from the one before. */
export interface WorkdirInstruction extends InstructionBase {
  readonly kind: "workdir";
  readonly path: string;
}

export function parseWorkdir(request: Request): WorkdirInstruction {
  const path = onlyArgument(request);
  noFlags(request);
  return {
    kind: "workdir",
    keyword: request.node.keyword,
    code: request.code,
    lines: request.node.lines,
    comments: request.node.comments,
    path,
  };
}

/** With variables replaced. */
export function expandWorkdir(workdir: WorkdirInstruction, expand: ExpandWord): WorkdirInstruction {
  return { ...workdir, path: expand(workdir.path) };
}
