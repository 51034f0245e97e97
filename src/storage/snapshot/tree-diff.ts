// What one tree has that another has not, and the other way round, as a layer directory.
import { Buffer } from "node:buffer";
import { type BigIntStats, closeSync, mkdirSync, openSync, readlinkSync, readSync } from "node:fs";
import { type Call, fsPath, throwIfAborted } from "../../base/index.ts";
import {
  copyAttributes,
  FilePlacer,
  inside,
  namesIn,
  pathIn,
  readXattrs,
  statOf,
} from "./tree-files.ts";
import { makeWhiteout } from "./whiteout.ts";

export interface TreeDiffOptions {
  readonly lower: string;
  readonly upper: string;
  /** Existing empty directory that becomes the layer; its own attributes are set when those of the roots differ. */
  readonly out: string;
  readonly userXattr: boolean;
  /** Whether something other than a directory is as it was; compares all of it where absent. */
  readonly isUnchanged?: (path: string, stat: BigIntStats) => boolean;
  /** Share files with `upper` instead of copying them: only when nobody ever writes to it again. */
  readonly link?: boolean;
}

/** Fills `out`; false when the trees are alike. Directories that lead to changes are part of it, as overlayfs has them. */
export async function diffTrees(options: TreeDiffOptions, call: Call): Promise<boolean> {
  return new TreeDiff(options, call).run();
}

class TreeDiff {
  readonly #options: TreeDiffOptions;
  readonly #call: Call;
  readonly #placer: FilePlacer;
  /** Directories made in `out`, parents first: their times are set last. */
  readonly #made = new Map<string, BigIntStats>();

  constructor(options: TreeDiffOptions, call: Call) {
    this.#options = options;
    this.#call = call;
    this.#placer = new FilePlacer(options.link === true);
  }

  run(): boolean {
    const lower = statOf(this.#options.lower);
    const upper = statOf(this.#options.upper);
    if (lower !== undefined && upper !== undefined && !this.#isAlike("", lower, upper))
      this.#reach("");
    this.#compare("");
    for (const [path, stat] of [...this.#made].toReversed()) {
      copyAttributes(pathIn(this.#options.upper, path), pathIn(this.#options.out, path), stat);
    }
    return this.#made.size > 0;
  }

  /** Both sides have the directory. */
  #compare(path: string): void {
    throwIfAborted(this.#call);
    const { lower, upper, out } = this.#options;
    const above = new Set(namesIn(pathIn(upper, path)));
    for (const name of namesIn(pathIn(lower, path))) {
      if (above.has(name)) continue;
      this.#reach(path);
      makeWhiteout(pathIn(out, inside(path, name)));
    }
    for (const name of above) {
      const child = inside(path, name);
      const now = statOf(pathIn(upper, child));
      const was = statOf(pathIn(lower, child));
      if (now === undefined) continue;
      if (was === undefined || was.isDirectory() !== now.isDirectory()) this.#add(child, now);
      else if (now.isDirectory()) {
        if (!this.#isAlike(child, was, now)) this.#reach(child);
        this.#compare(child);
      } else if (!this.#isSame(child, was, now)) this.#add(child, now);
    }
  }

  /** The file or whole directory is new, or in place of something of another kind. */
  #add(path: string, stat: BigIntStats): void {
    const parent = path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "";
    this.#reach(parent);
    if (!stat.isDirectory()) {
      this.#placer.place(pathIn(this.#options.upper, path), pathIn(this.#options.out, path), stat);
      return;
    }
    throwIfAborted(this.#call);
    this.#reach(path);
    for (const name of namesIn(pathIn(this.#options.upper, path))) {
      const child = inside(path, name);
      const found = statOf(pathIn(this.#options.upper, child));
      if (found !== undefined) this.#add(child, found);
    }
  }

  /** Makes the directory and its parents in `out`. */
  #reach(path: string): void {
    if (this.#made.has(path)) return;
    if (path !== "") {
      this.#reach(path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "");
      mkdirSync(fsPath(pathIn(this.#options.out, path)));
    }
    const stat = statOf(pathIn(this.#options.upper, path));
    if (stat !== undefined) this.#made.set(path, stat);
  }

  #isAlike(path: string, was: BigIntStats, now: BigIntStats): boolean {
    const { lower, upper } = this.#options;
    return hasSameAttributes(pathIn(lower, path), was, pathIn(upper, path), now);
  }

  #isSame(path: string, was: BigIntStats, now: BigIntStats): boolean {
    const { isUnchanged } = this.#options;
    if (isUnchanged !== undefined) return isUnchanged(path, now);
    if (was.size !== now.size || was.mtimeNs !== now.mtimeNs || !this.#isAlike(path, was, now))
      return false;
    const [before, after] = [pathIn(this.#options.lower, path), pathIn(this.#options.upper, path)];
    if (now.isSymbolicLink())
      return isEqual(readlinkSync(fsPath(before), "buffer"), readlinkSync(fsPath(after), "buffer"));
    return !now.isFile() || hasSameContents(before, after);
  }
}

/** Kind, owner, mode, device and extended attributes; a directory's time follows from what happens in it. */
export function hasSameAttributes(
  old: string,
  was: BigIntStats,
  own: string,
  now: BigIntStats,
): boolean {
  if (was.mode !== now.mode || was.uid !== now.uid || was.gid !== now.gid || was.rdev !== now.rdev)
    return false;
  const before = readXattrs(old);
  const after = readXattrs(own);
  return (
    before.size === after.size &&
    [...before].every(([name, value]) => isEqual(value, after.get(name)))
  );
}

/** Whether two regular files hold the same bytes. */
export function hasSameContents(one: string, other: string): boolean {
  const files = [openSync(fsPath(one), "r"), openSync(fsPath(other), "r")] as const;
  const buffers = [new Uint8Array(256 * 1024), new Uint8Array(256 * 1024)] as const;
  try {
    for (;;) {
      const [a, b] = [readSync(files[0], buffers[0]), readSync(files[1], buffers[1])];
      if (a !== b || !isEqual(buffers[0].subarray(0, a), buffers[1].subarray(0, b))) return false;
      if (a === 0) return true;
    }
  } finally {
    for (const file of files) closeSync(file);
  }
}

/** Whether both have the same bytes. */
export function isEqual(one: Uint8Array, other: Uint8Array | undefined): boolean {
  return other !== undefined && Buffer.compare(one, other) === 0;
}
