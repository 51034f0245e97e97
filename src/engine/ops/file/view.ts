// A read-only look at a tree of files, whether it is a mounted snapshot or a directory of the asking side.
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { Digest } from "../../../base/index.ts";
import type { HostEntry, HostTree } from "../../../storage/snapshot/index.ts";

export type FileType = "file" | "directory" | "symlink" | "fifo" | "char" | "block" | "socket";

/** What is known of one path without following it. Times in nanoseconds since 1970. */
export interface FileStat {
  readonly type: FileType;
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: bigint;
  readonly rdev: number;
  /** Same for all names of one file that has several; undefined for a file with one name. */
  readonly inode?: string;
  readonly digest?: Digest;
}

/**
 * Paths are absolute inside the view (`/a/b`, `/` is its root) and not resolved: use `resolveInView` first. Nobody writes
 * below a view while it is used.
 */
export interface FileView {
  lstat(path: string): FileStat | undefined;
  /** Names in a directory, sorted by their bytes. */
  readdir(path: string): readonly string[];
  readlink(path: string): string;
  /** Where the file's bytes can be opened. */
  hostPath(path: string): string;
}

const typeBits: ReadonlyMap<number, FileType> = new Map([
  [0o010000, "fifo"],
  [0o020000, "char"],
  [0o040000, "directory"],
  [0o060000, "block"],
  [0o100000, "file"],
  [0o120000, "symlink"],
  [0o140000, "socket"],
]);

function typeOf(mode: number): FileType {
  return typeBits.get(mode & 0o170000) ?? "file";
}

/** A view of a directory on this machine, such as a mounted snapshot. */
export function directoryView(root: string): FileView {
  const host = (path: string) => (path === "/" ? root : root + path);
  return {
    lstat(path) {
      const stat = lstatSync(host(path), { bigint: true, throwIfNoEntry: false });
      if (!stat) return undefined;
      const mode = Number(stat.mode);
      const shared = stat.nlink > 1n && !stat.isDirectory();
      return {
        type: typeOf(mode),
        mode: mode & 0o7777,
        uid: Number(stat.uid),
        gid: Number(stat.gid),
        size: Number(stat.size),
        mtime: stat.mtimeNs,
        rdev: Number(stat.rdev),
        ...(shared ? { inode: `${stat.dev}:${stat.ino}` } : {}),
      };
    },
    readdir: (path) => readdirSync(host(path)).sort(),
    readlink: (path) => readlinkSync(host(path)),
    hostPath: host,
  };
}

const treeViews = new WeakMap<HostTree, FileView>();

/** A view of a host tree: only its entries exist, and everything belongs to root, as the reference sends contexts. */
export function treeView(tree: HostTree): FileView {
  const known = treeViews.get(tree) ?? createTreeView(tree);
  treeViews.set(tree, known);
  return known;
}

function createTreeView(tree: HostTree): FileView {
  const entries = new Map<string, HostEntry>();
  const children = new Map<string, string[]>([["/", []]]);
  for (const entry of tree.entries) {
    const path = `/${entry.path}`;
    entries.set(path, entry);
    const cut = path.lastIndexOf("/");
    const parent = cut === 0 ? "/" : path.slice(0, cut);
    const names = children.get(parent);
    if (names) names.push(path.slice(cut + 1));
    else children.set(parent, [path.slice(cut + 1)]);
  }
  return {
    lstat(path) {
      if (path === "/") return rootStat;
      const entry = entries.get(path);
      if (!entry) return undefined;
      return {
        type: typeOf(entry.mode),
        mode: entry.mode & 0o7777,
        uid: 0,
        gid: 0,
        size: entry.size,
        mtime: entry.mtime,
        rdev: 0,
        ...(entry.digest === undefined ? {} : { digest: entry.digest }),
      };
    },
    readdir: (path) => (children.get(path) ?? []).toSorted(),
    readlink: (path) => entries.get(path)?.linkname ?? "",
    hostPath: (path) => tree.directory + path,
  };
}

const rootStat: FileStat = {
  type: "directory",
  mode: 0o755,
  uid: 0,
  gid: 0,
  size: 0,
  mtime: 0n,
  rdev: 0,
};

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
    if (++links > symlinkLimit) throw new Error(`too many symbolic links in ${path}`);
    const target = view.readlink(next);
    if (target.startsWith("/")) at = "/";
    pending = [...target.split("/").filter((p) => p !== "" && p !== "."), ...rest];
  }
  return at;
}

/** The view of scratch: a root directory and nothing below it. */
export const emptyView: FileView = {
  lstat: (path) => (path === "/" ? rootStat : undefined),
  readdir: () => [],
  readlink: () => "",
  hostPath: (path) => path,
};

/** The bytes of a regular file at a resolved path; empty for anything else. */
export function readView(view: FileView, path: string): Uint8Array {
  return view.lstat(path)?.type === "file" ? readFileSync(view.hostPath(path)) : new Uint8Array();
}
