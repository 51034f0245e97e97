// Copying into a new layer with the reference's rules: what lands where, under whose name, with which mode and time.
import { existsSync, linkSync, lstatSync, mkdirSync, rmSync, statSync, symlinkSync } from "node:fs";
import { basename, dirname, join, posix } from "node:path";
import {
  type Call,
  fromNodeError,
  KilnError,
  resolveInRoot,
  throwIfAborted,
} from "../../../base/index.ts";
import type { PathFilter } from "../../../formats/patterns/index.ts";
import { canChown, loadSyscalls, type Xattrs } from "../../../storage/snapshot/index.ts";
import { treeRoot } from "../../source/index.ts";
import { applyAttributes, type Owner } from "./attributes.ts";
import { copyBytes } from "./copy-bytes.ts";
import type { CopiedFile, EarlierCopy } from "./earlier-copy.ts";
import type { ModeChange } from "./mode.ts";
import { type FileStat, type FileView, missingSource, resolveInView } from "./view.ts";

export interface CopyOptions {
  readonly owner?: Owner;
  readonly mode?: ModeChange;
  /** Of directories that have to be made on the way; 0755 where undefined. Words for a mode do not count, numbers do. */
  readonly directoryMode?: number;
  /** Nanoseconds since 1970 for everything copied; the source's time where undefined. */
  readonly time?: bigint;
  readonly followSymlink: boolean;
  readonly copyDirectoryContents: boolean;
  /** Replace what is in the way, also a directory by a file or a file by a directory. */
  readonly replaceExisting: boolean;
  /** Chooses below the source, by paths relative to it; undefined takes everything. */
  readonly filter?: PathFilter;
  /**
   * Where on disk lies what is new in the target's root, if the root shows it from there (an overlay's upper directory).
   * A directory that the copy makes is filled in there: nobody has looked into it through the root.
   */
  readonly upper?: string;
  /** Files of an earlier run of the same copy, to be linked where nothing has changed. Needs `upper`. */
  readonly earlier?: EarlierCopy;
}

/**
 * Copies `source` (a path in `view`, its last link not yet followed) to `target`, a path inside the directory `root`
 * that may lead through links of the image: all of them are resolved inside `root`. Missing parents are made.
 * Behaviour: tonistiigi/fsutil copy, as BuildKit's file op uses it.
 */
export async function copyInto(
  view: FileView,
  source: string,
  root: string,
  target: string,
  options: CopyOptions,
  call: Call,
): Promise<void> {
  const copier = new Copier(view, root, options, call);
  const from = resolveInView(view, source, options.followSymlink);
  const stat = view.lstat(from);
  if (!stat) throw missingSource(view, source);
  const intoDirectory = target.endsWith("/") ? target : dirname(target);
  const made = [...makeDirectories(root, intoDirectory, options)];
  // Of `/a/..` the name is not `..`, which would lead out of the target.
  const name = basename(posix.join("/", source));
  const to = placeFor(stat, name, resolveInRoot(root, target, { followLast: true }), options);
  // A directory's contents go into a directory of its own making: of the source it has only the time.
  const contents = stat.type === "directory" && options.copyDirectoryContents;
  made.push(...makeDirectoriesAt(contents ? to : dirname(to), options));
  try {
    await copier.copy({ from, to, relative: "", overwrite: false, fresh: false });
    // What was put into them has moved their time.
    if (options.time !== undefined) for (const path of made) setTime(path, options.time);
  } catch (error) {
    throw fromNodeError(error, `copying ${source}`);
  }
}

/** Makes `path` and its parents inside `root`; new directories get the options' owner, time and mode, and are told of. */
export function makeDirectories(
  root: string,
  path: string,
  options: NewDirectory,
): readonly string[] {
  return makeDirectoriesAt(resolveInRoot(root, path, { followLast: true }), options);
}

type NewDirectory = Pick<CopyOptions, "owner" | "time" | "directoryMode">;

function makeDirectoriesAt(path: string, options: NewDirectory): readonly string[] {
  if (existsSync(path)) return [];
  const above = makeDirectoriesAt(dirname(path), options);
  mkdirSync(path);
  const { owner, time, directoryMode: mode = 0o755 } = options;
  applyAttributes(path, {
    type: "directory",
    // As mkdir has it: setuid and its like are for what is copied.
    mode: mode & 0o777,
    ...(owner ? { owner } : {}),
    ...(time === undefined ? {} : { time }),
  });
  return [...above, path];
}

/** Into an existing directory goes below it, unless a directory's contents were asked for. */
function placeFor(stat: FileStat, name: string, resolved: string, options: CopyOptions): string {
  const isDirectory = stat.type === "directory";
  const existing = statSync(resolved, { throwIfNoEntry: false });
  const below = isDirectory ? existing && !options.copyDirectoryContents : existing?.isDirectory();
  return below ? join(resolved, name) : resolved;
}

/** How many entries are copied before others get a turn: copying is synchronous, since mounts are seen by this thread. */
const turn = 200;

/** Who owns what this process makes. */
const makerOwner: Owner = canChown
  ? { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 }
  : { uid: 0, gid: 0 };

interface Placement {
  /** In the view, resolved. */
  readonly from: string;
  readonly to: string;
  /** Below the source; empty for the source itself. */
  readonly relative: string;
  /** Whether a directory that is there already gets the source's attributes. */
  readonly overwrite: boolean;
  /** True where the parent was made just now, so that nothing can be in the way. */
  readonly fresh: boolean;
}

class Copier {
  readonly #view: FileView;
  readonly #root: string;
  readonly #options: CopyOptions;
  readonly #call: Call;
  /** Of files with several names: where the first lies, shown by the root. */
  readonly #links = new Map<string, string>();
  /** Directories that the filter did not choose but whose files it may: made when the first file needs them. */
  readonly #pending: { readonly from: FileStat; readonly to: string }[] = [];
  #copied = 0;

  constructor(view: FileView, root: string, options: CopyOptions, call: Call) {
    this.#view = view;
    this.#root = root;
    this.#options = options;
    this.#call = call;
  }

  async copy(one: Placement): Promise<void> {
    if (++this.#copied % turn === 0) {
      await new Promise(setImmediate);
      throwIfAborted(this.#call);
    }
    const { from, to, relative } = one;
    const stat = this.#view.lstat(from);
    if (!stat || stat.type === "socket") return;
    const directory = stat.type === "directory";
    const verdict =
      relative === "" ? "yes" : (this.#options.filter?.decide(relative, directory) ?? "yes");
    if (verdict === "no") return;
    if (directory) {
      await this.#copyDirectory(one, stat, verdict === "yes");
    } else if (verdict === "yes") {
      this.#makePending();
      if (!one.fresh) this.#clear(to, false);
      this.#create(from, stat, to);
    }
  }

  async #copyDirectory(one: Placement, stat: FileStat, chosen: boolean): Promise<void> {
    const { from, to, relative } = one;
    let fresh = one.fresh;
    if (chosen) {
      this.#makePending();
      fresh = this.#makeDirectory(to, one.fresh);
    } else {
      this.#pending.push({ from: stat, to });
    }
    const into = fresh && chosen ? this.#inUpper(to) : to;
    for (const name of this.#view.readdir(from)) {
      await this.copy({
        from: from === "/" ? `/${name}` : `${from}/${name}`,
        to: `${into}/${name}`,
        relative: relative === "" ? name : `${relative}/${name}`,
        overwrite: true,
        fresh: fresh && chosen,
      });
    }
    if (this.#pending.at(-1)?.to === to) this.#pending.pop();
    // Last, since adding children moves the directory's time.
    else if (chosen && (fresh || one.overwrite)) this.#finish(stat, this.#view.xattrs(from), to);
    else if (chosen && stat !== treeRoot) setTime(to, this.#options.time ?? stat.mtime);
  }

  #makePending(): void {
    for (const { from, to } of this.#pending.splice(0)) {
      if (this.#makeDirectory(to, false)) this.#finish(from, undefined, to);
    }
  }

  /** True when it was not there. */
  #makeDirectory(to: string, fresh: boolean): boolean {
    if (!fresh) {
      this.#clear(to, true);
      if (lstatSync(to, { throwIfNoEntry: false })) return false;
    }
    mkdirSync(to);
    return true;
  }

  /** Removes what is in the way of a new `to`. */
  #clear(to: string, wantDirectory: boolean): void {
    const present = lstatSync(to, { throwIfNoEntry: false });
    if (!present || (wantDirectory && present.isDirectory())) return;
    if (present.isDirectory() !== wantDirectory && !this.#options.replaceExisting) {
      throw new KilnError(
        "COPY_NOT_FOUND",
        wantDirectory
          ? `cannot copy to non-directory: ${basename(to)} is a file`
          : `cannot replace to directory ${basename(to)} with file`,
      );
    }
    rmSync(to, { recursive: true, force: true });
  }

  #create(from: string, stat: FileStat, to: string): void {
    const first = stat.inode === undefined ? undefined : this.#links.get(stat.inode);
    if (first !== undefined) {
      linkSync(this.#isInUpper(to) ? this.#inUpper(first) : first, to);
      return;
    }
    if (stat.inode !== undefined) this.#links.set(stat.inode, this.#inRoot(to));
    if (stat.type === "file") {
      if (this.#linkEarlier(stat, to)) return;
      const mode = copyBytes(this.#view.hostPath(from), to, stat.size, stat.mode);
      const xattrs = this.#view.xattrs(from);
      this.#view.checkUnchanged?.(from);
      this.#finish(stat, xattrs, to, { mode, owner: makerOwner });
      return;
    }
    if (stat.type === "symlink") symlinkSync(this.#view.readlink(from), to);
    else makeNode(to, stat);
    this.#finish(stat, this.#view.xattrs(from), to);
  }

  /** Whether the file need not be written, because an earlier copy made the same. */
  #linkEarlier(stat: FileStat, to: string): boolean {
    const { earlier, mode, owner = stat, time = stat.mtime, upper } = this.#options;
    if (!earlier || upper === undefined || stat.digest === undefined) return false;
    if (stat.inode !== undefined || !this.#isInUpper(to)) return false;
    const file: CopiedFile = {
      path: to.slice(upper.length),
      size: stat.size,
      mode: mode ? mode(stat.mode, false) : stat.mode,
      owner: { uid: owner.uid, gid: owner.gid },
      time,
      digest: stat.digest,
    };
    return earlier.link(file, to);
  }

  #isInUpper(path: string): boolean {
    const { upper } = this.#options;
    return upper !== undefined && path.startsWith(`${upper}/`);
  }

  /** The same place below the upper directory, for what is new. */
  #inUpper(path: string): string {
    const { upper } = this.#options;
    if (upper === undefined || this.#isInUpper(path)) return path;
    return upper + path.slice(this.#root.length);
  }

  #inRoot(path: string): string {
    const { upper } = this.#options;
    if (upper === undefined || !this.#isInUpper(path)) return path;
    return this.#root + path.slice(upper.length);
  }

  #finish(
    stat: FileStat,
    xattrs: Xattrs | undefined,
    to: string,
    present?: { readonly mode: number; readonly owner: Owner },
  ): void {
    const { mode, owner, time } = this.#options;
    const isDirectory = stat.type === "directory";
    applyAttributes(to, {
      type: stat.type,
      mode: mode && stat.type !== "symlink" ? mode(stat.mode, isDirectory) : stat.mode,
      owner: owner ?? stat,
      time: time ?? stat.mtime,
      ...(present ? { present } : {}),
      ...(xattrs ? { xattrs } : {}),
    });
  }
}

function setTime(path: string, time: bigint): void {
  loadSyscalls().utimensat(path, time, time);
}

const nodeBits: Readonly<Partial<Record<FileStat["type"], number>>> = {
  fifo: 0o010000,
  char: 0o020000,
  block: 0o060000,
};

function makeNode(path: string, stat: FileStat): void {
  const bits = nodeBits[stat.type];
  if (bits === undefined) return;
  const { major, minor } = splitDevice(stat.rdev);
  loadSyscalls().mknod(path, bits | 0o600, major, minor);
}

/** The kernel's encoding of device numbers in `st_rdev` (makedev(3)). */
function splitDevice(rdev: number): { major: number; minor: number } {
  const device = BigInt(rdev);
  return {
    major: Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n)),
    minor: Number((device & 0xffn) | ((device >> 12n) & 0xffffff00n)),
  };
}
