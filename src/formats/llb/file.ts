// The vertex that changes files without running anything.
import { posix } from "node:path";
import type { pb } from "../proto/index.ts";
import {
  type Constraints,
  distinctOutputs,
  type EncodeScope,
  InputList,
  type Output,
  type Vertex,
} from "./vertex.ts";

/** A user and a group: numbers, or names that are looked up in the files that are being changed. */
export interface OwnerSpec {
  readonly user?: number | string;
  readonly group?: number | string;
}

/** One change. Relative paths are taken from the state's directory. */
export type FileStep = CopyStep | MkdirStep | MkfileStep | RmStep | SymlinkStep;

export interface CopyStep {
  readonly kind: "copy";
  /** What is copied from; absent is the empty file system. */
  readonly from?: Output;
  /** Absolute. */
  readonly src: string;
  readonly dest: string;
  readonly owner?: OwnerSpec;
  /** Bits, or chmod's symbolic words. */
  readonly mode?: number | string;
  readonly followSymlink?: boolean;
  readonly dirCopyContents?: boolean;
  readonly attemptUnpack?: boolean;
  readonly createDestPath?: boolean;
  readonly allowWildcard?: boolean;
  readonly allowEmptyWildcard?: boolean;
  readonly includePatterns?: readonly string[];
  readonly excludePatterns?: readonly string[];
  readonly requiredPaths?: readonly string[];
  readonly alwaysReplaceExistingDestPaths?: boolean;
  /** Nanoseconds since 1970. */
  readonly timestamp?: bigint;
}

export interface MkdirStep {
  readonly kind: "mkdir";
  readonly path: string;
  readonly mode: number;
  readonly makeParents?: boolean;
  readonly owner?: OwnerSpec;
  readonly timestamp?: bigint;
}

export interface MkfileStep {
  readonly kind: "mkfile";
  readonly path: string;
  readonly mode: number;
  readonly data: Uint8Array;
  readonly owner?: OwnerSpec;
  readonly timestamp?: bigint;
}

export interface RmStep {
  readonly kind: "rm";
  readonly path: string;
  readonly allowNotFound?: boolean;
  readonly allowWildcard?: boolean;
}

export interface SymlinkStep {
  readonly kind: "symlink";
  readonly oldPath: string;
  readonly newPath: string;
  readonly owner?: OwnerSpec;
  readonly timestamp?: bigint;
}

export interface FileSpec {
  readonly base: Output | undefined;
  /** Where relative paths begin. */
  readonly dir: string;
  /** At least one, in order. */
  readonly steps: readonly FileStep[];
  readonly constraints: Constraints;
}

/** A vertex whose output 0 is `base` with the steps done. */
export function fileVertex(spec: FileSpec): Vertex {
  const sources = spec.steps.map((step) => (step.kind === "copy" ? step.from : undefined));
  return {
    constraints: spec.constraints,
    // BuildKit: client/llb/fileop.go notes what single actions need only after it has taken the list.
    caps: ["file.base"],
    // The reference walks a chain of actions from its end.
    inputs: distinctOutputs([spec.base, ...sources.reverse()]),
    encode: (scope) => encodeFile(spec, scope),
  };
}

/** The path as the op has it: absolute and clean; a final "/" or "/." is kept where `keepSlash`. */
export function normalizePath(dir: string, path: string, keepSlash: boolean): string {
  const clean = posix.join("/", path.startsWith("/") ? "" : dir, path).replace(/(.)\/+$/, "$1");
  if (!keepSlash) return clean;
  if (path.endsWith("/") && clean !== "/") return `${clean}/`;
  if (path.endsWith("/.")) return clean === "/" ? "/." : `${clean}/.`;
  return clean;
}

function encodeFile(
  { base, dir, steps }: FileSpec,
  scope: EncodeScope,
): ReturnType<Vertex["encode"]> {
  const inputs = new InputList(scope);
  const baseIndex = inputs.add(base);
  const sources = steps.map((step) => inputs.add(step.kind === "copy" ? step.from : undefined));
  const last = steps.length - 1;
  const actions = steps.map(
    (step, at): pb.FileAction => ({
      input: at === 0 ? baseIndex : inputs.messages.length + at - 1,
      secondaryInput: sources[at] ?? -1,
      output: at === last ? 0 : -1,
      action: encodeStep(step, dir, baseIndex),
    }),
  );
  return {
    inputs: inputs.messages,
    platformSpecific: false,
    op: { $case: "file", value: { actions } },
  };
}

function encodeStep(
  step: FileStep,
  dir: string,
  base: number,
): NonNullable<pb.FileAction["action"]> {
  switch (step.kind) {
    case "copy":
      return { $case: "copy", value: encodeCopy(step, dir, base) };
    case "mkdir":
      return {
        $case: "mkdir",
        value: {
          path: normalizePath(dir, step.path, false),
          mode: step.mode & 0o777,
          makeParents: step.makeParents === true,
          ...ownership(step, base),
        },
      };
    case "mkfile":
      return {
        $case: "mkfile",
        value: {
          path: normalizePath(dir, step.path, false),
          mode: step.mode & 0o777,
          data: step.data,
          ...ownership(step, base),
        },
      };
    case "rm":
      return {
        $case: "rm",
        value: {
          path: normalizePath(dir, step.path, false),
          allowNotFound: step.allowNotFound === true,
          allowWildcard: step.allowWildcard === true,
        },
      };
    case "symlink":
      return {
        $case: "symlink",
        value: {
          oldpath: step.oldPath,
          newpath: normalizePath(dir, step.newPath, false),
          ...ownership(step, base),
        },
      };
  }
}

function encodeCopy(step: CopyStep, dir: string, base: number): pb.FileActionCopy {
  return {
    src: step.src,
    dest: normalizePath(dir, step.dest, true),
    mode: typeof step.mode === "number" ? step.mode : -1,
    modeStr: typeof step.mode === "string" ? step.mode : "",
    followSymlink: step.followSymlink === true,
    dirCopyContents: step.dirCopyContents === true,
    attemptUnpackDockerCompatibility: step.attemptUnpack === true,
    createDestPath: step.createDestPath === true,
    allowWildcard: step.allowWildcard === true,
    allowEmptyWildcard: step.allowEmptyWildcard === true,
    includePatterns: [...(step.includePatterns ?? [])],
    excludePatterns: [...(step.excludePatterns ?? [])],
    requiredPaths: [...(step.requiredPaths ?? [])],
    alwaysReplaceExistingDestPaths: step.alwaysReplaceExistingDestPaths === true,
    ...ownership(step, base),
  };
}

function ownership(
  step: { readonly owner?: OwnerSpec; readonly timestamp?: bigint },
  base: number,
): { owner: pb.ChownOpt | undefined; timestamp: string } {
  const { owner, timestamp = -1n } = step;
  return {
    owner: owner && {
      user: encodeOwnerId(owner.user, base),
      group: encodeOwnerId(owner.group, base),
    },
    timestamp: `${timestamp}`,
  };
}

function encodeOwnerId(id: number | string | undefined, base: number): pb.UserOpt | undefined {
  if (id === undefined) return undefined;
  if (typeof id === "number") return { user: { $case: "byID", value: id } };
  return { user: { $case: "byName", value: { name: id, input: base } } };
}
