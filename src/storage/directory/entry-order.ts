// The order in which entries of a directory are listed, and the check that a list from elsewhere keeps it.
import type { FileEntry } from "../../api/index.ts";
import { KilnError } from "../../base/index.ts";
import { fileType } from "./file-type.ts";

/** What a list of entries may hold at most: far more than any repository has, far less than memory. */
export const listLimits: {
  readonly entries: number;
  readonly textLength: number;
  readonly pathLength: number;
} = {
  entries: 4_000_000,
  /** Characters of all paths and link targets, and of all extended attributes, together. */
  textLength: 512 * 1024 * 1024,
  /** Linux's PATH_MAX. */
  pathLength: 4096,
};

/** Names of one directory by their bytes, as Go sorts them: JavaScript's order differs beyond the basic plane. */
export function sortNames(names: string[]): string[] {
  names.sort();
  if (!names.some((name) => /[\ud800-\udfff]/.test(name))) return names;
  return names.sort(comparePaths);
}

/** Negative when `a` comes before `b`: a directory before what is in it, and that before the next name. */
export function comparePaths(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    if (x === 0x2f) return -1;
    if (y === 0x2f) return 1;
    // A surrogate stands for a code point above all others of two bytes.
    const xHigh = x >= 0xd800 && x <= 0xdfff;
    const yHigh = y >= 0xd800 && y <= 0xdfff;
    if (xHigh !== yHigh) return xHigh ? 1 : -1;
    return x - y;
  }
  return a.length - b.length;
}

/**
 * Checks a list entry by entry: paths that are clean and relative, in order, each once, each in a directory of the list;
 * hard links only to files of the list. So nothing can be written through a link, or outside. Throws `PATH_INVALID`.
 */
export class EntryOrder {
  readonly #what: string;
  readonly #files = new Set<string>();
  /** The directories that the last entry is in, outermost first, and itself where it is one. */
  #open: string[] = [];
  #last: string | undefined;
  #count = 0;
  #text = 0;

  /** `what` names the list in messages. */
  constructor(what: string) {
    this.#what = what;
  }

  check(entry: FileEntry): void {
    const { path, linkname = "", xattrs } = entry;
    this.#count++;
    this.#text += path.length + linkname.length;
    for (const [name, value] of xattrs ?? []) this.#text += name.length + value.length;
    if (this.#count > listLimits.entries)
      throw this.#refused(`more than ${listLimits.entries} files`);
    if (this.#text > listLimits.textLength) throw this.#refused("names longer than all memory");
    if (linkname.length > listLimits.pathLength || linkname.includes("\0"))
      throw this.#refused(`an impossible link ${quoted(path)}`);
    if (!isClean(path)) throw this.#refused(`a file with an impossible path ${quoted(path)}`);
    if (this.#last !== undefined && comparePaths(this.#last, path) >= 0)
      throw this.#refused(`files out of order: ${quoted(path)} after ${quoted(this.#last)}`);
    this.#last = path;
    this.#enter(entry);
  }

  #enter({ path, mode, linkname }: FileEntry): void {
    const cut = path.lastIndexOf("/");
    const parent = cut === -1 ? undefined : path.slice(0, cut);
    while (this.#open.length > 0 && this.#open.at(-1) !== parent) this.#open.pop();
    if (parent !== undefined && this.#open.length === 0)
      throw this.#refused(`${quoted(path)} without the directory that it is in`);
    const type = fileType(mode);
    if (type === "directory") this.#open.push(path);
    if (type !== "file") return;
    if (linkname === undefined) this.#files.add(path);
    else if (!this.#files.has(linkname))
      throw this.#refused(`${quoted(path)}, a link to ${quoted(linkname)}, which is no file`);
  }

  #refused(why: string): KilnError {
    return new KilnError("PATH_INVALID", `${this.#what}: the other side sent ${why}`);
  }
}

function isClean(path: string): boolean {
  if (path.length > listLimits.pathLength || path.includes("\0")) return false;
  return path.split("/").every((name) => name !== "" && name !== "." && name !== "..");
}

function quoted(path: string): string {
  return JSON.stringify(path.slice(0, 200));
}
