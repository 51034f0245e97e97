// A directory of this machine filled with files that the other side lends, written as their contents come.
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import type { FileEntry, SharedFiles } from "../../api/index.ts";
import { type Call, fromNodeError, fsPath, KilnError } from "../../base/index.ts";
import { applyTime, applyXattrs, loadSyscalls } from "../snapshot/index.ts";
import { EntryOrder } from "./entry-order.ts";
import { fileType } from "./file-type.ts";

/** Files that are asked for and have not come yet: enough to hide the way there and back. */
const maxAsked = 1024;
/** Files that have come in part: a sender works on a few. */
const maxOpen = 256;

const openFlags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/**
 * Makes all that the list names in the directory `root`, which is trusted; what lies in it is not: what has a name of the
 * list is replaced, links are never followed, all else stays. Everything belongs to whoever runs this, whatever the list
 * says, as the reference's client has it. Throws `PATH_INVALID` for lists that are
 * none and `EXPORT_FAILED` for contents that do not come as announced, leaving what it had made so far.
 */
export async function fillDirectory(files: SharedFiles, root: string, call: Call): Promise<void> {
  const filler = new Filler(files, root, call);
  try {
    for await (const batch of files.entries) {
      for (const entry of batch) {
        const full = filler.add(entry);
        if (full !== undefined) await full;
      }
      call.signal.throwIfAborted();
    }
    await filler.ended();
  } catch (error) {
    throw fromNodeError(error, `writing ${filler.current}`);
  } finally {
    filler.close();
  }
}

class Filler {
  /** Path of the entry that was made last, for messages. */
  current = "";
  readonly #files: SharedFiles;
  readonly #root: string;
  readonly #call: Call;
  readonly #order: EntryOrder;
  readonly #directories: FileEntry[] = [];
  readonly #links: FileEntry[] = [];
  readonly #open = new Set<number>();
  #listed = 0;
  #asked = 0;
  #failure: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;

  constructor(files: SharedFiles, root: string, call: Call) {
    this.#files = files;
    this.#root = root;
    this.#call = call;
    this.#order = new EntryOrder(`writing ${root}`);
  }

  /** Resolves when there is room for more; undefined when that is now. */
  add(entry: FileEntry): Promise<void> | undefined {
    const index = this.#listed++;
    this.#order.check(entry);
    this.current = entry.path;
    const path = this.#pathOf(entry);
    switch (fileType(entry.mode)) {
      case "directory":
        this.#directory(entry, path);
        return undefined;
      case "symlink":
        this.#make(path, () => symlinkSync(fsPath(entry.linkname ?? ""), fsPath(path)));
        this.#describe(entry, path);
        return undefined;
      case "file":
        // A link needs the file whole: whoever writes it replaces what lies there.
        if (entry.linkname !== undefined) this.#links.push(entry);
        else return this.#file(index, entry, path);
        return undefined;
      case "socket":
        return undefined;
      default:
        if (this.#special(entry, path)) this.#describe(entry, path);
        return undefined;
    }
  }

  /** Resolves when all contents are there, and sets what had to wait for them. */
  async ended(): Promise<void> {
    await this.#until(0);
    for (const entry of this.#links) {
      const path = this.#pathOf(entry);
      this.current = entry.path;
      this.#make(path, () => linkSync(fsPath(`${this.#root}/${entry.linkname}`), fsPath(path)));
    }
    // What is made in a directory changes its time, and needs the right to.
    for (const entry of this.#directories.reverse()) {
      const path = this.#pathOf(entry);
      this.current = entry.path;
      this.#describe(entry, path);
    }
  }

  close(): void {
    for (const file of this.#open) closeSync(file);
    this.#open.clear();
    this.#failure ??= { error: undefined };
  }

  #pathOf({ path }: FileEntry): string {
    return `${this.#root}/${path}`;
  }

  #directory(entry: FileEntry, path: string): void {
    this.#directories.push(entry);
    try {
      mkdirSync(fsPath(path), 0o700);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      if (lstatSync(fsPath(path)).isDirectory()) return;
      unlinkSync(fsPath(path));
      mkdirSync(fsPath(path), 0o700);
    }
  }

  /** What lies there is deleted, a directory with all below it. */
  #make<T>(path: string, make: () => T): T {
    try {
      return make();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      rmSync(fsPath(path) as string, { recursive: true });
      return make();
    }
  }

  /** False where the kernel does not let us: devices without privilege are left out. */
  #special({ mode, devMajor = 0, devMinor = 0 }: FileEntry, path: string): boolean {
    const bits = (mode & 0o170000) | 0o600;
    try {
      this.#make(path, () => loadSyscalls().mknod(path, bits, devMajor, devMinor));
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EPERM" && fileType(mode) !== "fifo")
        return false;
      throw error;
    }
  }

  /** Mode, attributes and times of what is no regular file. */
  #describe({ mode, mtime, xattrs }: FileEntry, path: string): void {
    if (fileType(mode) !== "symlink") chmodSync(fsPath(path), mode & 0o7777);
    if (xattrs) applyXattrs(path, xattrs);
    applyTime(path, mtime);
  }

  #file(index: number, entry: FileEntry, path: string): Promise<void> | undefined {
    if (entry.size === 0) {
      this.#finish(this.#create(path), entry, path);
      return undefined;
    }
    this.#asked++;
    this.#receive(index, entry, path).then(
      () => this.#came(),
      (error: unknown) => this.#came({ error }),
    );
    return this.#asked < maxAsked ? undefined : this.#until(maxAsked / 2);
  }

  async #receive(index: number, entry: FileEntry, path: string): Promise<void> {
    let file: number | undefined;
    let size = 0;
    const take = (chunk: Uint8Array): void => {
      if (this.#failure) throw this.#failure.error;
      size += chunk.length;
      if (size > entry.size) throw changed(entry);
      file ??= this.#create(path);
      for (let at = 0; at < chunk.length; ) at += writeSync(file, chunk, at);
      if (size === entry.size) this.#finish(file, entry, path);
    };
    try {
      await this.#files.read(index, take, this.#call);
      if (size !== entry.size) throw changed(entry);
    } catch (error) {
      throw fromNodeError(error, `writing ${path}`);
    }
  }

  #create(path: string): number {
    if (this.#open.size >= maxOpen)
      throw new KilnError(
        "PATH_INVALID",
        `the other side sends more than ${maxOpen} files at once`,
      );
    const file = this.#make(path, () => openSync(fsPath(path), openFlags, 0o600));
    this.#open.add(file);
    return file;
  }

  #finish(file: number, { mode, mtime, xattrs }: FileEntry, path: string): void {
    fchmodSync(file, mode & 0o7777);
    this.#open.delete(file);
    closeSync(file);
    if (xattrs) applyXattrs(path, xattrs);
    applyTime(path, mtime);
  }

  #came(failure?: { readonly error: unknown }): void {
    this.#asked--;
    this.#failure ??= failure;
    this.#wake?.();
  }

  /** Resolves when no more files than that are awaited; rejects when one has failed. */
  async #until(few: number): Promise<void> {
    while (!this.#failure && this.#asked > few) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#failure) throw this.#failure.error;
  }
}

function changed({ path }: FileEntry): KilnError {
  return new KilnError("EXPORT_FAILED", `${path} did not come as it was announced`);
}
