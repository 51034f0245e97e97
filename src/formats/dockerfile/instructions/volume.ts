// VOLUME: paths whose content containers keep apart.
import { trimSpace } from "../text.ts";
import { noFlags } from "./flags.ts";
import {
  type ExpandWord,
  type InstructionBase,
  Mistake,
  type Request,
  requireArguments,
} from "./instruction.ts";

/** `VOLUME <path> ...` or `VOLUME ["path", ...]`. */
export interface VolumeInstruction extends InstructionBase {
  readonly kind: "volume";
  readonly paths: readonly string[];
}

export function parseVolume(request: Request): VolumeInstruction {
  requireArguments(request);
  noFlags(request);
  const paths = request.args.map(trimSpace);
  if (paths.includes(""))
    throw new Mistake("VOLUME specified can not be an empty string", { word: '""' });
  return {
    kind: "volume",
    keyword: request.node.keyword,
    code: request.code,
    lines: request.node.lines,
    comments: request.node.comments,
    paths,
  };
}

/** With variables replaced. */
export function expandVolume(volume: VolumeInstruction, expand: ExpandWord): VolumeInstruction {
  return { ...volume, paths: volume.paths.map(expand) };
}
