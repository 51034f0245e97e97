// MAINTAINER: the image's author; deprecated in favour of a label.
import { maintainerDeprecated } from "../lint/maintainer-deprecated.ts";
import { noFlags } from "./flags.ts";
import { type InstructionBase, onlyArgument, type Request } from "./instruction.ts";

/** `MAINTAINER <name>`. */
export interface MaintainerInstruction extends InstructionBase {
  readonly kind: "maintainer";
  readonly author: string;
}

export function parseMaintainer(request: Request): MaintainerInstruction {
  request.linter.warn(maintainerDeprecated, request.node.lines);
  const author = onlyArgument(request);
  noFlags(request);
  return {
    kind: "maintainer",
    keyword: request.node.keyword,
    code: request.code,
    lines: request.node.lines,
    comments: request.node.comments,
    author,
  };
}
