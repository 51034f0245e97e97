// ENV: variables of the image and of all later steps of the stage.
import { noFlags } from "./flags.ts";
import type { ExpandWord, InstructionBase, KeyValue, Request } from "./instruction.ts";
import { expandPairs, readPairs } from "./pairs.ts";

/** `ENV <key>=<value> ...` or the legacy `ENV <key> <value>`. */
export interface EnvInstruction extends InstructionBase {
  readonly kind: "env";
  readonly pairs: readonly KeyValue[];
}

export function parseEnv(request: Request): EnvInstruction {
  noFlags(request);
  return {
    kind: "env",
    keyword: request.node.keyword,
    code: request.code,
    lines: request.node.lines,
    comments: request.node.comments,
    pairs: readPairs(request),
  };
}

/** With variables replaced in keys and values. */
export function expandEnv(env: EnvInstruction, expand: ExpandWord): EnvInstruction {
  return { ...env, pairs: expandPairs(env.pairs, expand) };
}
