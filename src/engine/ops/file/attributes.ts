// Giving a new file its owner, mode, times and extended attributes, in the order that keeps setuid bits and times.
import { chmodSync, lchownSync } from "node:fs";
import { canChown, loadSyscalls, noteOwner } from "../../../storage/snapshot/index.ts";
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
  /** A file whose extended attributes are to be had too. */
  readonly xattrsFrom?: string;
  /** What is known to be so already, and need not be done: a system call a file adds up. */
  readonly present?: { readonly mode: number; readonly owner: Owner };
}

/** Applies them to `path` itself, never through a symbolic link. */
export function applyAttributes(path: string, attributes: Attributes): void {
  const { type, mode, owner, time, xattrsFrom, present } = attributes;
  const owned =
    present && (!owner || (owner.uid === present.owner.uid && owner.gid === present.owner.gid));
  // chown clears setuid and file capabilities, so it comes first.
  if (canChown && owner && !owned) lchownSync(path, owner.uid, owner.gid);
  if (type !== "symlink" && !(owned && mode === present?.mode)) chmodSync(path, mode);
  if (xattrsFrom !== undefined) copyXattrs(xattrsFrom, path);
  // A copy that is told nothing else keeps the note of what it was copied from.
  if (!canChown && owner && (owner.uid !== 0 || owner.gid !== 0))
    noteOwner(path, owner.uid, owner.gid);
  if (time !== undefined) loadSyscalls().utimensat(path, time, time);
}

function copyXattrs(from: string, to: string): void {
  const syscalls = loadSyscalls();
  for (const name of syscalls.llistxattr(from)) {
    // What overlayfs keeps for itself is not part of the file.
    if (/^(trusted|user)\.overlay\./.test(name)) continue;
    const value = syscalls.lgetxattr(from, name);
    if (value) syscalls.lsetxattr(to, name, value);
  }
}
