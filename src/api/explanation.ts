// Why a step had to run: what its cache key depends on, compared with the last build of the same files.
import type { Digest } from "../base/index.ts";

/** One path that a step reads, before and now. Absent on one side: it was added or removed. */
export interface FileChange {
  /** Relative to the context's or the stage's root. */
  readonly path: string;
  readonly old?: FileFacts;
  readonly new?: FileFacts;
}

/** What counts of a path. */
export interface FileFacts {
  readonly type: string;
  /** Permission bits in octal; absent where they mean nothing. */
  readonly mode?: string;
  readonly uid: number;
  readonly gid: number;
  /** Beginning of a file's digest, or where a link points. */
  readonly content?: string;
}

/** One reason; a step may have several. */
export type MissReason =
  /** The last build knew no such step. */
  | { readonly kind: "new" }
  /** It was asked for: `--no-cache`, `--no-cache-filter`. */
  | { readonly kind: "no-cache" }
  /** It ran before with the same inputs, and its result has been removed since. */
  | { readonly kind: "pruned" }
  /** It ran before with the same inputs, and did not come to its end. */
  | { readonly kind: "failed" }
  /** What the step is has changed; `field` is `command`, `env NAME`, `user`, ... Values that look secret are left out. */
  | {
      readonly kind: "definition";
      readonly field: string;
      readonly old?: string;
      readonly new?: string;
    }
  /** The digest of a base image, or the image itself. */
  | { readonly kind: "image"; readonly old: string; readonly new: string }
  /** Another source: a repository or a download. */
  | { readonly kind: "source"; readonly old: string; readonly new: string }
  /** Files that the step reads of `from`, the context or another stage; without `changes` it is not known which. */
  | {
      readonly kind: "files";
      readonly from: string;
      readonly changes?: readonly FileChange[];
      /** How many more there are than `changes` lists. */
      readonly more?: number;
      /** Only so many paths were compared, because there are more than are remembered. */
      readonly compared?: number;
    }
  /** A step below ran, and its result counts by its history. */
  | { readonly kind: "step"; readonly step: Digest; readonly name: string };

/** Why one step was not cached. */
export interface Explanation {
  readonly step: Digest;
  readonly name: string;
  /** `linux/arm64`: its own, or that of the image it is built on; absent where there is none. */
  readonly platform?: string;
  readonly reasons: readonly MissReason[];
  /** When the build that it is compared with was made; absent where there is none. */
  readonly comparedWith?: Date;
}
