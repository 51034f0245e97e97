// Giving a new file its owner, mode, times and extended attributes, in the order that keeps setuid bits and times.
import { chmodSync, lchownSync } from "node:fs";
import {
  applyXattrs,
  canChown,
  loadSyscalls,
  noteOwner,
  type Xattrs,
} from "../../../storage/snapshot/index.ts";
import type { FileType } from "./view.ts";

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export interface Attributes {
  readonly type: FileType;
  readonly mode: number;
  readonly owner?: Owner;
  /** Nanoseconds since 1970; left alone where undefined. */
  readonly time?: bigint;
  /** Overlayfs's own are left out, and so are those that the file system or our rights do not allow. */
  readonly xattrs?: Xattrs;
  /** What is known to be so already, and need not be done: a system call a file adds up. */
  readonly present?: { readonly mode: number; readonly owner: Owner };
}

/** Applies them to `path` itself, never through a symbolic link. */
export function applyAttributes(path: string, attributes: Attributes): void {
  const { type, mode, owner, time, xattrs, present } = attributes;
  const owned =
    present && (!owner || (owner.uid === present.owner.uid && owner.gid === present.owner.gid));
  // chown clears setuid and file capabilities, so it comes first.
  if (canChown && owner && !owned) lchownSync(path, owner.uid, owner.gid);
  if (type !== "symlink" && !(owned && mode === present?.mode)) chmodSync(path, mode);
  if (xattrs !== undefined) applyXattrs(path, xattrs);
  // A copy that is told nothing else keeps the note of what it was copied from.
  if (!canChown && owner && (owner.uid !== 0 || owner.gid !== 0))
    noteOwner(path, owner.uid, owner.gid);
  if (time !== undefined) loadSyscalls().utimensat(path, time, time);
}
