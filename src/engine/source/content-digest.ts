// What files are worth to the cache: one digest over names, kinds, owners, modes and contents, wherever the files lie.
import type { Digest } from "../../base/index.ts";

/** What counts of one path. Times do not: equal files have equal digests whenever they were made. */
export interface ContentStat {
  readonly type: "file" | "directory" | "symlink" | "fifo" | "char" | "block" | "socket";
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly rdev: number;
  /** Digest of a regular file's bytes, where it is known already. */
  readonly digest?: Digest;
}

/**
 * A tree of files as far as its digest needs it. Paths are absolute inside the view (`/a/b`, `/` is its root) and are not
 * resolved by it. Nobody writes below a view while it is used.
 */
export interface ContentView {
  lstat(path: string): ContentStat | undefined;
  readdir(path: string): readonly string[];
  readlink(path: string): string;
  /** Where the file's bytes can be opened. */
  hostPath(path: string): string;
}
