// Single files from one tree to another: linked or copied, with all that belongs to them.
import {
  type BigIntStats,
  closeSync,
  constants,
  copyFileSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  symlinkSync,
  writeSync,
} from "node:fs";
import { decodeName, fsPath } from "../../base/index.ts";
import { applyXattrs, canChown, isOverlayXattr, setOwnerAndMode } from "./attributes.ts";
import { takeOwner } from "./owner-note.ts";
import type { Xattrs } from "./snapshot.ts";
import { loadSyscalls } from "./syscalls.ts";

/** Names in a directory, exact whatever their bytes are; unsorted. */
export function namesIn(directory: string): string[] {
  const names = readdirSync(fsPath(directory));
  // A replacement character may stand for bytes that are not UTF-8: look again.
  if (!names.some((name) => name.includes("\ufffd"))) return names;
  return readdirSync(fsPath(directory), "buffer").map((name) => decodeName(name));
}

/** Never follows a link; undefined where nothing is. */
export function statOf(path: string): BigIntStats | undefined {
  return lstatSync(fsPath(path), { bigint: true, throwIfNoEntry: false });
}

export function isWhiteoutStat(stat: BigIntStats): boolean {
  return stat.rdev === 0n && stat.isCharacterDevice();
}

/** Extended attributes but overlayfs's own. */
export function readXattrs(path: string): Map<string, Uint8Array> {
  const syscalls = loadSyscalls();
  const found = new Map<string, Uint8Array>();
  for (const name of syscalls.llistxattr(path)) {
    const value = isOverlayXattr(name) ? undefined : syscalls.lgetxattr(path, name);
    if (value !== undefined) found.set(name, value);
  }
  return found;
}

/**
 * Whether an attribute means the same on every machine: file capabilities, access lists, and whatever is not the system's
 * own. As BuildKit has it, but for access lists, which it leaves out.
 */
export function isPortableXattr(name: string): boolean {
  if (name === "security.capability" || name.startsWith("system.posix_acl_")) return true;
  return !/^(?:security\.|system\.|com\.apple\.|user\.kiln\.)/.test(name) && !isOverlayXattr(name);
}

const noXattrs: Xattrs = new Map();

let canRead: boolean | undefined;

/** Whether this machine has what system calls are made with: who only lends directories does without. */
function canReadXattrs(): boolean {
  try {
    canRead ??= loadSyscalls() !== undefined;
  } catch {
    canRead = false;
  }
  return canRead;
}

/** Those of a file in a directory that is not Kiln's. None on machines where they cannot be read. */
export function portableXattrs(path: string): Xattrs {
  if (!canReadXattrs()) return noXattrs;
  const syscalls = loadSyscalls();
  const names = syscalls.llistxattr(path);
  if (names.length === 0) return noXattrs;
  const found = new Map<string, Uint8Array>();
  for (const name of names) {
    const value = isPortableXattr(name) ? syscalls.lgetxattr(path, name) : undefined;
    if (value !== undefined) found.set(name, value);
  }
  return found;
}

/** The owner that is noted where this user cannot give files away. */
export function notedOwner(
  xattrs: Xattrs,
): { readonly uid: number; readonly gid: number } | undefined {
  return xattrs.size === 0 ? undefined : takeOwner(new Map(xattrs));
}

/** Copies owner, mode, extended attributes and times to what has just been made at `to`. */
export function copyAttributes(from: string, to: string, stat: BigIntStats): void {
  const mode = stat.isSymbolicLink() ? undefined : Number(stat.mode) & 0o7777;
  // The one user there is stands for root; who else a file belongs to is among the attributes.
  const [uid, gid] = canChown ? [Number(stat.uid), Number(stat.gid)] : [0, 0];
  setOwnerAndMode(to, uid, gid, mode);
  applyXattrs(to, readXattrs(from));
  loadSyscalls().utimensat(to, stat.mtimeNs, stat.mtimeNs);
}

/** Copies anything but a directory's contents to the free place `to`; a file's data is shared where the file system can. */
function copyNode(from: string, to: string, stat: BigIntStats): void {
  if (stat.isDirectory()) mkdirSync(fsPath(to));
  else if (stat.isFile() && stat.blocks * 512n < stat.size) copySparse(from, to, Number(stat.size));
  else if (stat.isFile())
    copyFileSync(fsPath(from), fsPath(to), constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  else if (stat.isSymbolicLink()) symlinkSync(readlinkSync(fsPath(from), "buffer"), fsPath(to));
  else if (stat.isSocket() || !makeSpecial(to, stat)) return;
  copyAttributes(from, to, stat);
}

/** Makes the file `to`. Holes stay holes: an image may have a file of terabytes that holds nothing. */
export function copySparse(from: string, to: string, size: number): void {
  const { seek } = loadSyscalls();
  const source = openSync(fsPath(from), "r");
  const target = openSync(fsPath(to), "wx", 0o600);
  const chunk = new Uint8Array(1024 * 1024);
  try {
    ftruncateSync(target, size);
    for (let at = seek(source, 0, "data"); at !== undefined; at = seek(source, at, "data")) {
      const end = seek(source, at, "hole") ?? size;
      while (at < end) {
        const read = readSync(source, chunk, 0, Math.min(chunk.length, end - at), at);
        if (read === 0) return;
        for (let done = 0; done < read; )
          done += writeSync(target, chunk, done, read - done, at + done);
        at += read;
      }
    }
  } finally {
    closeSync(source);
    closeSync(target);
  }
}

/** False where devices may not be made. */
function makeSpecial(path: string, stat: BigIntStats): boolean {
  const { devMajor, devMinor } = deviceOf(stat.rdev);
  try {
    loadSyscalls().mknod(path, Number(stat.mode), devMajor, devMinor);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") throw error;
    return false;
  }
}

/** The kernel's encoding of device numbers (makedev(3)). */
export function deviceOf(rdev: bigint): { readonly devMajor: number; readonly devMinor: number } {
  return {
    devMajor: Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n)),
    devMinor: Number((rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n)),
  };
}

/** Puts files at new places, keeping together what were names of one file. */
export class FilePlacer {
  readonly #link: boolean;
  readonly #first = new Map<string, string>();

  /** `link`: share the file itself instead of copying it; both sides must then never be written to. */
  constructor(link: boolean) {
    this.#link = link;
  }

  /** Anything but a directory, to a free place. */
  place(from: string, to: string, stat: BigIntStats): void {
    if (this.#link) {
      linkSync(fsPath(from), fsPath(to));
      return;
    }
    const key = stat.nlink > 1n ? `${stat.dev}:${stat.ino}` : undefined;
    const first = key === undefined ? undefined : this.#first.get(key);
    if (first !== undefined) {
      linkSync(fsPath(first), fsPath(to));
      return;
    }
    copyNode(from, to, stat);
    if (key !== undefined) this.#first.set(key, to);
  }
}

export function pathIn(root: string, path: string): string {
  return path === "" ? root : `${root}/${path}`;
}

export function inside(directory: string, name: string): string {
  return directory === "" ? name : `${directory}/${name}`;
}
