// A directory of the asking side as a tree of files with digests: seen as content, and checked against what it was.
import { lstatSync, readdirSync, readlinkSync } from "node:fs";
import { type Digest, KilnError } from "../../base/index.ts";
import { fileType, type ScannedEntry } from "../../storage/directory/index.ts";
import {
  type HostEntry,
  type HostTree,
  portableXattrs,
  readXattrs,
  type Xattrs,
} from "../../storage/snapshot/index.ts";
import { contentDigestOfList } from "./content-tree.ts";
import type { ContentEntry, ContentStat, ContentView } from "./content-view.ts";
import { type Absence, explainAbsence } from "./local/absence.ts";
import { contentPath } from "./local/received-files.ts";

/** What is known of a path of a host tree. */
export interface HostStat extends ContentStat {
  /** Nanoseconds since 1970. */
  readonly mtime: bigint;
  /** Same for all names of one file that has several. */
  readonly inode?: string;
}

/** A host tree as content, with times for who copies from it. */
export interface HostTreeView extends ContentView {
  lstat(path: string): HostStat | undefined;
  /** Throws `CONTEXT_CHANGED` unless the file, which has just been read, is still what its digest says. */
  checkUnchanged(path: string): void;
  explainAbsence(path: string): Absence;
}

/** The root of every host tree: the asking side's directory itself has no say in it. */
export const treeRoot: HostStat = {
  mtime: 0n,
  type: "directory",
  mode: 0o755,
  uid: 0,
  gid: 0,
  size: 0,
  rdev: 0,
};

const views = new WeakMap<HostTree, HostTreeView>();

/** A host tree as content: only its entries exist, and everything belongs to root. One view a tree. */
export function hostTreeContent(tree: HostTree): HostTreeView {
  const known = views.get(tree);
  if (known) return known;
  const view = createView(tree);
  views.set(tree, view);
  return view;
}

function createView(tree: HostTree): HostTreeView {
  // Most trees are only looked at as a whole: the index is made when a path is asked for.
  let index: { entries: Map<string, HostEntry>; children: Map<string, string[]> } | undefined;
  const indexed = () => {
    index ??= indexTree(tree);
    return index;
  };
  return {
    lasting: true,
    bareRoot: true,
    entries: () => contentEntries(tree),
    lstat(path) {
      if (path === "/") return treeRoot;
      const entry = indexed().entries.get(path);
      return entry && entryStat(entry);
    },
    readdir: (path) => indexed().children.get(path) ?? [],
    readlink: (path) => indexed().entries.get(path)?.linkname ?? "",
    xattrs(path) {
      const entry = indexed().entries.get(path);
      return entry ? hostXattrs(tree, entry) : none;
    },
    hostPath(path) {
      if (tree.contents === undefined) return tree.directory + path;
      const entry = indexed().entries.get(path);
      return entry ? hostFile(tree, entry) : tree.contents;
    },
    checkUnchanged(path) {
      if (tree.contents !== undefined) return;
      const entry = indexed().entries.get(path);
      if (entry) checkUnchanged(tree, entry);
    },
    explainAbsence: (path) => explainAbsence(tree, path),
  };
}

const none: Xattrs = new Map();

/**
 * Extended attributes of an entry. Those of a file that lies in the directory of somebody else are looked at now, if nobody
 * has before: `checkUnchanged` says whether they are those that its digest was made of.
 */
export function hostXattrs(tree: HostTree, entry: HostEntry): Xattrs {
  if (entry.xattrs) return entry.xattrs;
  const unknown = tree.contents === undefined && entry.digest !== undefined;
  return unknown ? portableXattrs(hostFile(tree, entry)) : none;
}

/** Where the content of an entry lies on this machine; of what has none, a directory without attributes of its own. */
export function hostFile(tree: HostTree, entry: HostEntry): string {
  if (tree.contents === undefined) return `${tree.directory}/${entry.path}`;
  return entry.digest === undefined ? tree.contents : contentPath(tree.contents, entry.digest);
}

/** Digest of a whole tree whose files have digests: what `contentDigest` gives for the root of its view. */
export function hostTreeDigest(tree: HostTree): Digest {
  return contentDigestOfList(contentEntries(tree), hostTreeContent(tree));
}

function* contentEntries(tree: HostTree): Iterable<ContentEntry> {
  for (const entry of tree.entries) {
    const { path, linkname, xattrs } = entry;
    yield { path, stat: entryStat(entry), linkname, xattrs };
  }
}

/** What of an entry its digest counts. */
function entryStat(entry: HostEntry): HostStat {
  return {
    type: fileType(entry.mode),
    mode: entry.mode & 0o7777,
    uid: 0,
    gid: 0,
    size: entry.size,
    rdev: 0,
    mtime: entry.mtime,
    ...(entry.digest === undefined ? {} : { digest: entry.digest }),
    ...(entry.shared === undefined ? {} : { inode: entry.shared }),
  };
}

function indexTree(tree: HostTree) {
  const entries = new Map<string, HostEntry>();
  const children = new Map<string, string[]>();
  for (const entry of tree.entries) {
    const path = `/${entry.path}`;
    entries.set(path, entry);
    const cut = path.lastIndexOf("/");
    const parent = cut === 0 ? "/" : path.slice(0, cut);
    const names = children.get(parent);
    if (names) names.push(path.slice(cut + 1));
    else children.set(parent, [path.slice(cut + 1)]);
  }
  return { entries, children };
}

/** A directory on this machine, such as a mounted snapshot, as content. */
export function directoryContent(root: string): ContentView {
  const host = (path: string) => (path === "/" ? root : root + path);
  return {
    lstat(path) {
      const stat = lstatSync(host(path), { throwIfNoEntry: false });
      if (!stat) return undefined;
      const { mode, uid, gid, size, rdev } = stat;
      return { type: fileType(mode), mode: mode & 0o7777, uid, gid, size, rdev };
    },
    readdir: (path) => readdirSync(host(path)),
    readlink: (path) => readlinkSync(host(path)),
    xattrs: (path) => readXattrs(host(path)),
    hostPath: host,
  };
}

/**
 * Throws `CONTEXT_CHANGED` unless the file is still what it was when the tree was made. Call it after having read the
 * file: what was read before is then known to be what the entry's digest says.
 */
export function checkUnchanged(tree: HostTree, entry: HostEntry): void {
  if (tree.contents !== undefined) return;
  const stat = lstatSync(`${tree.directory}/${entry.path}`, {
    bigint: true,
    throwIfNoEntry: false,
  });
  const { ctime } = entry as Partial<ScannedEntry>;
  if (
    stat &&
    Number(stat.mode) === entry.mode &&
    Number(stat.size) === entry.size &&
    stat.mtimeNs === entry.mtime &&
    (ctime === undefined || stat.ctimeNs === ctime)
  ) {
    return;
  }
  throw contextChanged(entry.path);
}

/** The error for a file that does not hold still. */
export function contextChanged(path: string): KilnError {
  return new KilnError("CONTEXT_CHANGED", `${path} changed while the build was reading it`, {
    hint: "Build again when nothing writes to the context, or list the file in .dockerignore.",
    details: { path },
  });
}
