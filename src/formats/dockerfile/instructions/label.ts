// LABEL: annotations in the image's configuration.
import { noFlags } from "./flags.ts";
import type { ExpandWord, InstructionBase, KeyValue, Request } from "./instruction.ts";
import { expandPairs, readPairs } from "./pairs.ts";

/** `LABEL <key>=<value> ...` or the legacy `LABEL <key> <value>`. */
export interface LabelInstruction extends InstructionBase {
  readonly kind: "label";
  readonly pairs: readonly KeyValue[];
}

export function parseLabel(request: Request): LabelInstruction {
  noFlags(request);
  return {
    kind: "label",
    keyword: request.node.keyword,
    code: request.code,
    lines: request.node.lines,
    comments: request.node.comments,
    pairs: readPairs(request),
  };
}

/** With variables replaced in keys and values. */
export function expandLabel(label: LabelInstruction, expand: ExpandWord): LabelInstruction {
  return { ...label, pairs: expandPairs(label.pairs, expand) };
}
