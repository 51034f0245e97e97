// Owner, mode, times and extended attributes of files below a root, never through a symbolic link in last place.
import { chmodSync, lchownSync, lutimesSync, readFileSync } from "node:fs";
import { fsPath } from "../../base/index.ts";
import type { TarHeader } from "../../formats/archive/index.ts";
import { noteOwner } from "./owner-note.ts";
import { loadSyscalls } from "./syscalls.ts";

/** Only root may give files away, to the ids it has; elsewhere everything belongs to the user who runs Kiln. */
export const canChown: boolean = process.geteuid?.() === 0 && countIds() > 1000;

/** How many ids this process's user namespace has. */
function countIds(): number {
  try {
    const lines = readFileSync("/proc/self/uid_map", "latin1").trim().split("\n");
    return lines.reduce((sum, line) => sum + Number(line.trim().split(/\s+/)[2]), 0);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

const overlayPrefixes = ["trusted.overlay.", "user.overlay.", "user.fuseoverlayfs."];

/** Names that overlays keep for themselves: never taken from an archive (they could redirect), never written to one. */
export function isOverlayXattr(name: string): boolean {
  return overlayPrefixes.some((prefix) => name.startsWith(prefix));
}

/** Sets what `header` says but times, which later changes below a directory would spoil. */
export function applyAttributes(
  path: string,
  header: TarHeader,
  owner: { readonly uid: number; readonly gid: number },
): void {
  setOwnerAndMode(path, owner.uid, owner.gid, header.type === "symlink" ? undefined : header.mode);
  if (header.xattrs !== undefined) applyXattrs(path, header.xattrs);
}

/** `mode` is undefined for symbolic links, which have none. */
export function setOwnerAndMode(
  path: string,
  uid: number,
  gid: number,
  mode: number | undefined,
): void {
  const target = fsPath(path);
  // chown clears set-id bits and file capabilities, so it comes first.
  if (canChown) lchownSync(target, uid, gid);
  else if (mode !== undefined) noteOwner(path, uid, gid);
  if (mode !== undefined) chmodSync(target, mode);
}

/** Sets extended attributes; those that the file system or our rights do not allow are left out, as containerd does. */
export function applyXattrs(path: string, xattrs: ReadonlyMap<string, Uint8Array>): void {
  for (const [name, value] of xattrs) {
    if (isOverlayXattr(name) || name.includes("\0")) continue;
    try {
      loadSyscalls().lsetxattr(path, name, value);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "ENOTSUP" && code !== "EOPNOTSUPP" && code !== "EPERM") throw error;
    }
  }
}

/** Sets access and modification time, in nanoseconds since 1970. */
export function applyTime(path: string, mtime: bigint): void {
  if (mtime >= 0n && mtime % 1_000_000_000n === 0n) {
    // Whole seconds survive Node's floating point, and need no koffi.
    const seconds = Number(mtime / 1_000_000_000n);
    lutimesSync(fsPath(path), seconds, seconds);
  } else {
    loadSyscalls().utimensat(path, mtime, mtime);
  }
}
