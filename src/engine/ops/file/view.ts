// A read-only look at a tree of files, whether it is a mounted snapshot or a directory of the asking side.

import { type BigIntStats, lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { KilnError } from "../../../base/index.ts";
import { canChown, readXattrs } from "../../../storage/snapshot/index.ts";
import {
  type Absence,
  type ContentStat,
  type ContentView,
  fileType,
  treeRoot,
} from "../../source/index.ts";

export type FileType = ContentStat["type"];

/** What is known of one path without following it. */
export interface FileStat extends ContentStat {
  /** Nanoseconds since 1970. */
  readonly mtime: bigint;
  /** Same for all names of one file that has several; undefined for a file with one name. */
  readonly inode?: string;
}

/**
 * Paths are absolute inside the view (`/a/b`, `/` is its root) and not resolved: use `resolveInView` first. Nobody writes
 * below a view while it is used.
 */
export interface FileView extends ContentView {
  lstat(path: string): FileStat | undefined;
  /** Where others may write meanwhile: throws unless the file, which has just been read, is still what its digest says. */
  checkUnchanged?(path: string): void;
  /** What is known of a path that is missing. */
  explainAbsence?(path: string): Absence;
}

/** Below a file there is nothing: a link may lead there. */
function lstatIfThere(path: string): BigIntStats | undefined {
  try {
    return lstatSync(path, { bigint: true, throwIfNoEntry: false });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOTDIR") return undefined;
    throw error;
  }
}

/** A view of a directory on this machine, such as a mounted snapshot. */
export function directoryView(root: string): FileView {
  const host = (path: string) => (path === "/" ? root : root + path);
  return {
    lstat(path) {
      const stat = lstatIfThere(host(path));
      if (!stat) return undefined;
      const mode = Number(stat.mode);
      const shared = stat.nlink > 1n && !stat.isDirectory();
      return {
        type: fileType(mode),
        mode: mode & 0o7777,
        // The one user there is stands for root.
        uid: canChown ? Number(stat.uid) : 0,
        gid: canChown ? Number(stat.gid) : 0,
        size: Number(stat.size),
        mtime: stat.mtimeNs,
        rdev: Number(stat.rdev),
        ...(shared ? { inode: `${stat.dev}:${stat.ino}` } : {}),
      };
    },
    readdir: (path) => readdirSync(host(path)).sort(),
    readlink: (path) => readlinkSync(host(path)),
    xattrs: (path) => readXattrs(host(path)),
    hostPath: host,
  };
}

const symlinkLimit = 255;

/**
 * Resolves `path` inside the view as chroot would: symbolic links are followed and clamped at the root, the last one
 * only when `followLast`. Missing components are kept as they are. Throws on a loop.
 */
export function resolveInView(view: FileView, path: string, followLast: boolean): string {
  let links = 0;
  let pending = path.split("/").filter((part) => part !== "" && part !== ".");
  let at = "/";
  while (pending.length > 0) {
    const [part = "", ...rest] = pending;
    pending = rest;
    if (part === "..") {
      at = at.slice(0, Math.max(1, at.lastIndexOf("/")));
      continue;
    }
    const next = at === "/" ? `/${part}` : `${at}/${part}`;
    const follow = rest.length > 0 || followLast;
    if (!follow || view.lstat(next)?.type !== "symlink") {
      at = next;
      continue;
    }
    if (++links > symlinkLimit)
      throw new KilnError(
        "PATH_INVALID",
        `cannot resolve ${JSON.stringify(path)}: too many levels of symbolic links`,
      );
    const target = view.readlink(next);
    if (target.startsWith("/")) at = "/";
    pending = [...target.split("/").filter((p) => p !== "" && p !== "."), ...rest];
  }
  return at;
}

/** The view of scratch: a root directory and nothing below it. */
export const emptyView: FileView = {
  lstat: (path) => (path === "/" ? treeRoot : undefined),
  readdir: () => [],
  readlink: () => "",
  xattrs: () => new Map(),
  hostPath: (path) => path,
};

/** The bytes of a regular file at a resolved path; empty for anything else. */
export function readView(view: FileView, path: string): Uint8Array {
  return view.lstat(path)?.type === "file" ? readFileSync(view.hostPath(path)) : new Uint8Array();
}

/** The path, resolved. Throws `COPY_NOT_FOUND` where nothing is there; the root always is. */
export function presentPath(view: FileView, path: string, followLinks: boolean): string {
  const resolved = resolveInView(view, path, followLinks);
  if (resolved === "/" || view.lstat(resolved)) return resolved;
  throw missingSource(view, path);
}

/** The error for a copied path that the view does not have. */
export function missingSource(view: FileView, path: string): KilnError {
  const absence = view.explainAbsence?.(path);
  return new KilnError(
    "COPY_NOT_FOUND",
    `${JSON.stringify(path)}: ${absence?.why ?? "not found"}`,
    {
      ...(absence?.hint === undefined ? {} : { hint: absence.hint }),
    },
  );
}
