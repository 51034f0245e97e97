// An LLB definition: the graph of ops in BuildKit's wire format (solver/pb/ops.proto, message Definition).
import type { Digest } from "../../base/index.ts";

/** Steps that are shown as one; `weak` groups give way to other groups of the same step. */
export interface ProgressGroup {
  readonly id: string;
  readonly name: string;
  readonly weak: boolean;
}

/** What is said of an op without being part of it, and so not of its digest. */
export interface OpMetadata {
  /** Run even when cached. */
  readonly ignoreCache?: boolean;
  /** Words for people by key: `llb.customname` is the step's name. */
  readonly description: Readonly<Record<string, string>>;
  readonly exportCache?: boolean;
  /** Capabilities of the builder that the op needs, sorted. */
  readonly caps: readonly string[];
  readonly progressGroup?: ProgressGroup;
  /** Limits of the op's process. */
  readonly resources?: StepLimits;
}

/** Limits of one process; what is absent is not limited. Units as the builder's `StepResources` has them. */
export interface StepLimits {
  readonly memory?: number;
  readonly memorySwap?: number;
  readonly cpuShares?: number;
  readonly cpuPeriod?: number;
  readonly cpuQuota?: number;
  readonly cpusetCpus?: string;
  readonly cpusetMems?: string;
}

/** One marshalled op; equal bytes have equal digests. */
export interface DefinitionOp {
  readonly digest: Digest;
  readonly bytes: Uint8Array;
  readonly metadata: OpMetadata;
}

/** A file that ops were made from, such as a Dockerfile. */
export interface SourceFile {
  readonly filename: string;
  readonly language: string;
  readonly data: Uint8Array;
  /** The file is in its result; without places of its own. */
  readonly definition?: Definition;
}

/** Lines of a file, both ends included; lines count from 1, characters from 0. */
export interface SourceRange {
  readonly start: { readonly line: number; readonly character: number };
  readonly end: { readonly line: number; readonly character: number };
}

/** Places in one file. */
export interface SourceLocation {
  readonly file: SourceFile;
  readonly ranges: readonly SourceRange[];
}

/** Ops with inputs before users; the last one only points at the result. No ops at all is the empty result (scratch). */
export interface Definition {
  readonly ops: readonly DefinitionOp[];
  /** Where ops were written, by op. */
  readonly locations?: ReadonlyMap<Digest, readonly SourceLocation[]>;
}
