// Directories that a layer's archive did not list: what they should look like is decided by the layers below.
import { createHash } from "node:crypto";
import { type BigIntStats, chmodSync, lchownSync, lstatSync, mkdirSync } from "node:fs";
import { compareNames, fsPath } from "../../base/index.ts";
import { applyTime, applyXattrs, canChown } from "./attributes.ts";
import { noteOwner } from "./owner-note.ts";
import { pathIn, readXattrs } from "./tree-files.ts";
import { isOpaque } from "./whiteout.ts";

interface DirectoryAttributes {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: bigint;
  readonly xattrs: ReadonlyMap<string, Uint8Array>;
}

/** A directory-only layer to put on top of one whose implied directories would hide the attributes of lower ones. */
export interface Patch {
  /** The same for the same contents. */
  readonly id: string;
  /** Makes the directories below the existing empty directory `root`. */
  write(root: string): void;
}

/**
 * The patch for the layer with files in `top` over `below` (topmost first); undefined when its implied directories look
 * right as they are. Overlayfs takes a merged directory's attributes from the topmost layer, so that a layer of nothing
 * but directories puts them right without touching or copying the layer itself.
 */
export function patchFor(
  top: string,
  implied: readonly string[],
  below: readonly string[],
  userXattr: boolean,
): Patch | undefined {
  const wanted = new Map<string, DirectoryAttributes>();
  for (const path of implied) {
    const lower = findBelow(path, below, userXattr);
    if (lower !== undefined && differs(lower, attributesOf(pathIn(top, path)), path === ""))
      wanted.set(path, lower);
  }
  if (wanted.size === 0) return undefined;
  const all = new Map<string, DirectoryAttributes>();
  for (const path of wanted.keys()) {
    for (const ancestor of withAncestors(path)) {
      if (!all.has(ancestor))
        all.set(
          ancestor,
          wanted.get(ancestor) ?? finalAttributes(ancestor, top, implied, below, userXattr),
        );
    }
  }
  const sorted = [...all].sort(([a], [b]) => compareNames(a, b));
  return { id: `patch-${hashOf(sorted)}`, write: (root) => writeDirectories(root, sorted) };
}

/** What an ancestor of a wanted directory looks like once all is put right. */
function finalAttributes(
  path: string,
  top: string,
  implied: readonly string[],
  below: readonly string[],
  userXattr: boolean,
): DirectoryAttributes {
  const lower = implied.includes(path) ? findBelow(path, below, userXattr) : undefined;
  return lower ?? attributesOf(pathIn(top, path));
}

/** The directory that `path` names in the stack `below`, unless something else is there or hides it. */
function findBelow(
  path: string,
  below: readonly string[],
  userXattr: boolean,
): DirectoryAttributes | undefined {
  const parts = path === "" ? [] : path.split("/");
  for (const layer of below) {
    let at = layer;
    let opaque = false;
    let missing = false;
    for (const part of parts) {
      if (isOpaque(at, userXattr)) opaque = true;
      at = `${at}/${part}`;
      const stat = lstatSync(fsPath(at), { throwIfNoEntry: false });
      if (stat === undefined) {
        missing = true;
        break;
      }
      if (!stat.isDirectory()) return undefined;
    }
    if (!missing) return attributesOf(at);
    if (opaque) return undefined;
  }
  return undefined;
}

/** The root's time means nothing: no archive lists it unless the layer sets it. */
function differs(a: DirectoryAttributes, b: DirectoryAttributes, ignoreTime: boolean): boolean {
  return fingerprint(a, ignoreTime) !== fingerprint(b, ignoreTime);
}

function fingerprint(attributes: DirectoryAttributes, ignoreTime = false): string {
  const xattrs = [...attributes.xattrs].map(([name, value]) => [name, [...value].join()]);
  const { mode, uid, gid, mtime } = attributes;
  return JSON.stringify([mode, uid, gid, ignoreTime ? "" : `${mtime}`, xattrs]);
}

function hashOf(directories: readonly (readonly [string, DirectoryAttributes])[]): string {
  const text = JSON.stringify(
    directories.map(([path, attributes]) => [path, fingerprint(attributes)]),
  );
  return createHash("sha256").update(text).digest("hex");
}

function attributesOf(path: string): DirectoryAttributes {
  const stat: BigIntStats = lstatSync(fsPath(path), { bigint: true });
  const xattrs = new Map([...readXattrs(path)].sort(([a], [b]) => compareNames(a, b)));
  return {
    mode: Number(stat.mode) & 0o7777,
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    mtime: stat.mtimeNs,
    xattrs,
  };
}

function writeDirectories(
  root: string,
  directories: readonly (readonly [string, DirectoryAttributes])[],
): void {
  for (const [path, { mode, uid, gid, xattrs }] of directories) {
    const directory = pathIn(root, path);
    if (path !== "") mkdirSync(fsPath(directory));
    if (canChown) lchownSync(fsPath(directory), uid, gid);
    else noteOwner(directory, uid, gid);
    chmodSync(fsPath(directory), mode);
    applyXattrs(directory, xattrs);
  }
  for (const [path, { mtime }] of directories.toReversed()) applyTime(pathIn(root, path), mtime);
}

function* withAncestors(path: string): Generator<string> {
  yield "";
  for (let at = path.indexOf("/"); at !== -1; at = path.indexOf("/", at + 1))
    yield path.slice(0, at);
  if (path !== "") yield path;
}
