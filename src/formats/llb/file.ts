// The vertex that changes files without running anything.
import { posix } from "node:path";
import type { Platform } from "../oci/index.ts";
import type { OpWriter } from "./op-writer.ts";
import {
  type Constraints,
  distinctOutputs,
  type OpScope,
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
  readonly from?: Output | undefined;
  /** Absolute. */
  readonly src: string;
  readonly dest: string;
  readonly owner?: OwnerSpec | undefined;
  /** Bits, or chmod's symbolic words. */
  readonly mode?: number | string | undefined;
  readonly followSymlink?: boolean;
  readonly dirCopyContents?: boolean;
  readonly attemptUnpack?: boolean;
  readonly createDestPath?: boolean;
  readonly allowWildcard?: boolean;
  readonly allowEmptyWildcard?: boolean;
  readonly includePatterns?: readonly string[] | undefined;
  readonly excludePatterns?: readonly string[] | undefined;
  readonly requiredPaths?: readonly string[] | undefined;
  readonly alwaysReplaceExistingDestPaths?: boolean;
  /** Nanoseconds since 1970. */
  readonly timestamp?: bigint | undefined;
}

export interface MkdirStep {
  readonly kind: "mkdir";
  readonly path: string;
  readonly mode: number;
  readonly makeParents?: boolean;
  readonly owner?: OwnerSpec | undefined;
  readonly timestamp?: bigint | undefined;
}

export interface MkfileStep {
  readonly kind: "mkfile";
  readonly path: string;
  readonly mode: number;
  readonly data: Uint8Array;
  readonly owner?: OwnerSpec | undefined;
  readonly timestamp?: bigint | undefined;
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
  readonly owner?: OwnerSpec | undefined;
  readonly timestamp?: bigint | undefined;
}

export interface FileSpec {
  readonly base: Output | undefined;
  /** Where relative paths begin. */
  readonly dir: string;
  /** At least one, in order. */
  readonly steps: readonly FileStep[];
  readonly platform: Platform | undefined;
  readonly constraints: Constraints;
}

// BuildKit: client/llb/fileop.go notes what single actions need only after it has taken the list.
const fileCaps = ["file.base"] as const;

/** A vertex whose output 0 is `base` with the steps done. */
export class FileVertex implements Vertex {
  readonly constraints: Constraints;
  readonly platform: Platform | undefined;
  readonly caps: readonly string[] = fileCaps;
  readonly inputs: readonly Output[];
  readonly #spec: FileSpec;

  constructor(spec: FileSpec) {
    this.constraints = spec.constraints;
    this.platform = spec.platform;
    const { base, steps } = spec;
    // The reference walks a chain of actions from its end.
    const inputs = new Array<Output | undefined>(steps.length + 1);
    inputs[0] = base;
    for (let at = 1; at < inputs.length; at++) inputs[at] = sourceOf(steps[steps.length - at]);
    this.inputs = distinctOutputs(inputs);
    this.#spec = spec;
  }

  write(op: OpScope): void {
    writeFile(this.#spec, op);
  }
}

/** Absolute, without doubled or final slashes and without names that begin with a dot: most paths. */
const cleanPath = /^(?:\/[^/.][^/]*)+$/;
const cleanDirectory = /^(?:\/[^/.][^/]*)+\/$/;

/** The path as the op has it: absolute and clean; a final "/" or "/." is kept where `keepSlash`. */
export function normalizePath(dir: string, path: string, keepSlash: boolean): string {
  if (cleanPath.test(path) || (keepSlash && cleanDirectory.test(path))) return path;
  const clean = posix.join("/", path.startsWith("/") ? "" : dir, path).replace(/(.)\/+$/, "$1");
  if (!keepSlash) return clean;
  if (path.endsWith("/") && clean !== "/") return `${clean}/`;
  if (path.endsWith("/.")) return clean === "/" ? "/." : `${clean}/.`;
  return clean;
}

function sourceOf(step: FileStep | undefined): Output | undefined {
  return step?.kind === "copy" ? step.from : undefined;
}

// Numbers of fields and the order in which they stand are those of solver/pb/ops.proto, members of a oneof last.

function writeFile({ base, dir, steps }: FileSpec, op: OpScope): void {
  const baseIndex = op.input(base);
  let inputs = baseIndex + 1;
  const sources = steps.map((step) => {
    const source = op.input(sourceOf(step));
    inputs = Math.max(inputs, source + 1);
    return source;
  });
  const to = op.begin("file", false);
  for (const [at, step] of steps.entries()) {
    to.begin(2);
    to.number(1, at === 0 ? baseIndex : inputs + at - 1);
    to.number(2, sources[at] ?? -1);
    to.number(3, at === steps.length - 1 ? 0 : -1);
    to.begin(actionFields[step.kind]);
    writeStep(to, step, dir, baseIndex);
    to.end();
    to.end();
  }
}

const actionFields = { copy: 4, mkfile: 5, mkdir: 6, rm: 7, symlink: 8 } as const;

function writeStep(to: OpWriter, step: FileStep, dir: string, base: number): void {
  switch (step.kind) {
    case "copy":
      writeCopy(to, step, dir, base);
      break;
    case "mkdir":
      to.text(1, normalizePath(dir, step.path, false));
      to.number(2, step.mode & 0o777);
      to.flag(3, step.makeParents);
      writeOwner(to, 4, step.owner, base);
      to.number(5, step.timestamp ?? -1);
      break;
    case "mkfile":
      to.text(1, normalizePath(dir, step.path, false));
      to.number(2, step.mode & 0o777);
      to.bytes(3, step.data);
      writeOwner(to, 4, step.owner, base);
      to.number(5, step.timestamp ?? -1);
      break;
    case "rm":
      to.text(1, normalizePath(dir, step.path, false));
      to.flag(2, step.allowNotFound);
      to.flag(3, step.allowWildcard);
      break;
    case "symlink":
      to.text(1, step.oldPath);
      to.text(2, normalizePath(dir, step.newPath, false));
      writeOwner(to, 3, step.owner, base);
      to.number(4, step.timestamp ?? -1);
      break;
  }
}

function writeCopy(to: OpWriter, step: CopyStep, dir: string, base: number): void {
  const { mode } = step;
  to.text(1, step.src);
  to.text(2, normalizePath(dir, step.dest, true));
  writeOwner(to, 3, step.owner, base);
  to.number(4, typeof mode === "string" ? 0 : (mode ?? -1));
  to.flag(5, step.followSymlink);
  to.flag(6, step.dirCopyContents);
  to.flag(7, step.attemptUnpack);
  to.flag(8, step.createDestPath);
  to.flag(9, step.allowWildcard);
  to.flag(10, step.allowEmptyWildcard);
  to.number(11, step.timestamp ?? -1);
  to.texts(12, step.includePatterns);
  to.texts(13, step.excludePatterns);
  to.flag(14, step.alwaysReplaceExistingDestPaths);
  to.text(15, typeof mode === "string" ? mode : "");
  to.texts(16, step.requiredPaths);
}

function writeOwner(to: OpWriter, field: number, owner: OwnerSpec | undefined, base: number): void {
  if (owner === undefined) return;
  to.begin(field);
  writeOwnerId(to, 1, owner.user, base);
  writeOwnerId(to, 2, owner.group, base);
  to.end();
}

/** A number, or a name that is looked up in an input. */
function writeOwnerId(
  to: OpWriter,
  field: number,
  id: number | string | undefined,
  base: number,
): void {
  if (id === undefined) return;
  to.begin(field);
  if (typeof id === "number") to.chosenNumber(2, id);
  else {
    to.begin(1);
    to.text(1, id);
    to.number(2, base);
    to.end();
  }
  to.end();
}
