// The file steps that sources of COPY and ADD become.
import {
  type Constraints,
  type CopyStep,
  type FileStep,
  type State,
  scratch,
} from "../../llb/index.ts";
import type { AddInstruction, CopyInstruction, InlineSource } from "../instructions/index.ts";
import type { ConvertEnv } from "./environment.ts";
import { checkIgnored } from "./ignored.ts";
import { joinPaths, normalizePath } from "./paths.ts";
import type { Stage } from "./stage.ts";
import type { StepConstraints } from "./step.ts";

/** A COPY or ADD whose flags are checked. */
export interface CopyPlan {
  readonly stage: Stage;
  readonly instruction: CopyInstruction | AddInstruction;
  readonly env: ConvertEnv;
  /** The instruction for people, without the step's prefix. */
  readonly words: string;
  readonly constraints: StepConstraints & Required<Pick<Constraints, "ignoreCache">>;
  /** Absolute; ends with "/" where a directory is meant. */
  readonly destination: string;
  /** What all steps of the instruction say. */
  readonly common: Pick<CopyStep, "createDestPath" | "mode" | "owner" | "excludePatterns">;
  readonly parents: boolean;
  readonly fromContext: boolean;
}

/** What a source means. */
type Picked = Pick<CopyStep, "src" | "includePatterns" | "requiredPaths">;

/** Copies what a path or pattern of `files` matches. */
export function localStep(
  plan: CopyPlan,
  source: string,
  files: State,
  options: { readonly unpack: boolean },
): FileStep {
  const { os } = plan.stage.platform;
  if (plan.fromContext) checkIgnored(plan, source);
  const picked: Picked = plan.parents ? withParents(source, os) : { src: source };
  const { common } = plan;
  return {
    kind: "copy",
    from: files.output,
    src: normalizePath("/", picked.src, os),
    dest: plan.destination,
    owner: common.owner,
    mode: common.mode,
    followSymlink: true,
    dirCopyContents: true,
    attemptUnpack: options.unpack,
    createDestPath: true,
    allowWildcard: true,
    allowEmptyWildcard: true,
    includePatterns: picked.includePatterns,
    excludePatterns: common.excludePatterns,
    requiredPaths: picked.requiredPaths,
  };
}

/** Copies inline files. */
export function inlineSteps(plan: CopyPlan, inline: readonly InlineSource[]): FileStep[] {
  return inline.map(({ path, data }): FileStep => {
    const file = scratch().file(
      [{ kind: "mkfile", path, mode: 0o644, data: new TextEncoder().encode(data) }],
      { name: "[internal] preparing inline document", platform: plan.stage.platform },
    );
    return {
      kind: "copy",
      from: file.output,
      src: joinPaths("/", path),
      dest: plan.destination,
      ...plan.common,
    };
  });
}

/** --parents: directories up to a `/./` in the source are left out, those behind it are made at the destination. */
function withParents(source: string, os: string): Picked {
  const pivot = source.indexOf("/./");
  const src = pivot === -1 ? "/" : source.slice(0, pivot);
  const pattern = normalizePath("/", pivot === -1 ? source : source.slice(pivot + 3), os, true);
  const required =
    hasWildcard(src) || hasWildcard(pattern)
      ? []
      : [normalizePath("/", joinPaths(src, pattern), os)];
  return { src, includePatterns: [pattern.replace(/^\//, "")], requiredPaths: required };
}

function hasWildcard(path: string): boolean {
  return /[*?[]/.test(path.replace(/\\./gs, ""));
}
