// Unpacking tar archives from outside: whatever they say, nothing outside the root is read, written or changed.
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  symlinkSync,
  writeSync,
} from "node:fs";
import { type Bytes, type Call, fromNodeError, fsPath, KilnError } from "../../base/index.ts";
import {
  readTar,
  type TarHeader,
  type TarLimits,
  type TarSink,
} from "../../formats/archive/index.ts";
import { applyAttributes, applyTime, applyXattrs, canChown } from "./attributes.ts";
import { cleanComponents, type Directory, DirectoryTree } from "./extract-tree.ts";
import { noteOwner } from "./owner-note.ts";
import { loadSyscalls } from "./syscalls.ts";
import { makeWhiteout, setOpaque } from "./whiteout.ts";

export interface ExtractOptions {
  /** Existing directory; nobody else may write below it meanwhile. */
  readonly root: string;
  /** "overlay" turns `.wh.` entries into overlayfs whiteouts (image layers, into an empty root); "none" unpacks them as files. */
  readonly whiteouts: "overlay" | "none";
  /** Whether overlayfs marks go into `user.` attributes. */
  readonly userXattr?: boolean;
  /** Owner for everything, instead of what the archive says. */
  readonly owner?: { readonly uid: number; readonly gid: number };
  readonly limits?: TarLimits;
}

export interface Extracted {
  /** Directories that had to be made although the archive does not list them, parents first; "" is the root itself. */
  readonly implied: readonly string[];
  /** The root directory itself hides everything below it. */
  readonly opaqueRoot: boolean;
  /** Nothing in it is a whiteout. */
  readonly whole: boolean;
}

/**
 * Unpacks the uncompressed archive `data` into `root`, as if `root` were the root directory: `..` and links are clamped.
 * Uses synchronous calls only, so `root` may be mounted. Throws `ARCHIVE_INVALID` or `DISK_FULL`, leaving what it had
 * made so far: the caller throws the root away. Behaviour: containerd archive.Apply.
 */
export async function extractTar(
  data: Bytes,
  options: ExtractOptions,
  call: Call,
): Promise<Extracted> {
  const extractor = new Extractor(options);
  try {
    await readTar(data, extractor, call, options.limits);
    return extractor.finish();
  } catch (error) {
    throw extractor.explain(error);
  } finally {
    extractor.close();
  }
}

const openFlags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const deviceBits = { fifo: 0o010000, "char-device": 0o020000, "block-device": 0o060000 } as const;
/** Linux's PATH_MAX: nothing longer can be made, and nobody should try a thousand directories first. */
const maxPathLength = 4095;
const whiteoutPrefix = ".wh.";
const opaqueMark = ".wh..wh..opq";

class Extractor implements TarSink {
  readonly #options: ExtractOptions;
  readonly #tree: DirectoryTree;
  #header: TarHeader | undefined;
  #path = "";
  #file: number | undefined;
  /** Where the last written piece of the file ends. */
  #written = 0;
  #rootSeen = false;
  #opaqueRoot = false;
  #whole = true;

  constructor(options: ExtractOptions) {
    this.#options = options;
    this.#tree = new DirectoryTree(options.root.replace(/\/+$/, ""));
    this.#tree.onWhiteoutReplaced = (directory) => this.#hideBelow(directory);
  }

  entry(header: TarHeader): void {
    this.#header = header;
    if (header.path.length > maxPathLength) throw invalid("a path is too long");
    const components = cleanComponents(header.path);
    const name = components.pop();
    if (name === undefined) {
      this.#root(header);
      return;
    }
    const parent = this.#tree.reach(components);
    this.#path = `${parent.path}/${name}`;
    if (this.#options.whiteouts === "overlay" && name.startsWith(whiteoutPrefix))
      this.#whiteout(parent, name);
    else this.#make(header, parent, name);
  }

  data(chunk: Uint8Array, position: number): void {
    if (this.#file === undefined) return;
    for (let at = 0; at < chunk.length; ) {
      at += writeSync(this.#file, chunk, at, chunk.length - at, position + at);
    }
    this.#written = position + chunk.length;
  }

  end(): void {
    const header = this.#header;
    if (this.#file === undefined || header === undefined) return;
    const file = this.#file;
    const owner = this.#options.owner ?? header;
    // A sparse file may end in a hole.
    if (header.size > this.#written) ftruncateSync(file, header.size);
    if (canChown) fchownSync(file, owner.uid, owner.gid);
    else noteOwner(this.#path, owner.uid, owner.gid);
    fchmodSync(file, header.mode);
    this.close();
    if (header.xattrs !== undefined) applyXattrs(this.#path, header.xattrs);
    applyTime(this.#path, header.mtime);
  }

  /** Sets what had to wait until nothing below directories changes any more. */
  finish(): Extracted {
    const implied: string[] = [];
    const all = [...this.#tree.all()];
    const overlay = this.#options.whiteouts === "overlay";
    for (const directory of all) {
      if (directory.implied) implied.push(directory.path.slice(this.#tree.root.path.length + 1));
    }
    for (const directory of all.reverse()) {
      if (directory.mode !== undefined) chmodSync(fsPath(directory.path), directory.mode);
      // Directories that nobody described must not differ from one unpacking to the next.
      const undescribed = overlay && (directory.implied || directory === this.#tree.root);
      const time = directory.mtime ?? (undescribed ? 0n : undefined);
      if (time !== undefined) applyTime(directory.path, time);
    }
    if (overlay && !this.#rootSeen) implied.unshift("");
    return { implied, opaqueRoot: this.#opaqueRoot, whole: this.#whole };
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  /** Says which entry failed. */
  explain(error: unknown): unknown {
    if (!(error instanceof Error) || error instanceof KilnError) return error;
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (code === undefined) return error;
    const doing = `unpacking ${JSON.stringify(this.#header?.path.slice(0, 300) ?? "")}`;
    const translated = fromNodeError(error, doing);
    if (translated !== error) return translated;
    if (code === "EINVAL" && (syscall === "lchown" || syscall === "fchown")) {
      return new KilnError(
        "PERMISSION_DENIED",
        `${doing}: this user may not make files of user ${this.#ownerName()}`,
        {
          cause: error,
          hint: "Give the user more ids in /etc/subuid and /etc/subgid, or run Kiln as root.",
        },
      );
    }
    return new KilnError("ARCHIVE_INVALID", `${doing}: ${code}`, { cause: error });
  }

  #ownerName(): string {
    const owner = this.#options.owner ?? this.#header;
    return `${owner?.uid}:${owner?.gid}`;
  }

  #root(header: TarHeader): void {
    if (header.type !== "directory") throw invalid("the root directory is not a directory");
    // An archive that is added to files which are there already does not change the directory it is added to.
    if (this.#options.whiteouts === "none") return;
    this.#rootSeen = true;
    this.#directoryAttributes(this.#tree.root, header);
  }

  #make(header: TarHeader, parent: Directory, name: string): void {
    try {
      this.#create(header, parent, name);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      this.#replace(header, parent, name);
    }
  }

  #create(header: TarHeader, parent: Directory, name: string): void {
    const path = fsPath(this.#path);
    switch (header.type) {
      case "file":
        this.#file = openSync(path, openFlags, 0o600);
        this.#written = 0;
        return;
      case "directory":
        mkdirSync(path, { mode: 0o755 });
        this.#directoryAttributes(this.#tree.add(parent, name, false), header);
        return;
      case "symlink":
        if (header.linkname === undefined || header.linkname === "")
          throw invalid("a symbolic link has no target");
        symlinkSync(fsPath(header.linkname), path);
        break;
      case "hardlink":
        this.#link(header, path);
        return;
      default:
        if (!this.#makeNode(header)) return;
    }
    applyAttributes(this.#path, header, this.#options.owner ?? header);
    applyTime(this.#path, header.mtime);
  }

  #replace(header: TarHeader, parent: Directory, name: string): void {
    const stat = lstatSync(fsPath(this.#path));
    const isDirectory = stat.isDirectory();
    if (isDirectory && header.type === "directory") {
      const known = parent.children.get(name) ?? this.#tree.add(parent, name, false);
      known.implied = false;
      this.#directoryAttributes(known, header);
      return;
    }
    if (header.type === "hardlink" && this.#linkTarget(header) === this.#path) return;
    this.#tree.remove(parent, name, isDirectory);
    this.#create(header, parent, name);
    const wasWhiteout = stat.isCharacterDevice() && stat.rdev === 0;
    const made = parent.children.get(name);
    if (wasWhiteout && made !== undefined) this.#hideBelow(made);
  }

  #directoryAttributes(directory: Directory, header: TarHeader): void {
    directory.mtime = header.mtime;
    // Who is not root could not fill a read-only directory: its mode has to wait.
    const waits = !canChown && (header.mode & 0o300) !== 0o300;
    if (waits) directory.mode = header.mode;
    const now = waits ? { ...header, mode: header.mode | 0o700 } : header;
    applyAttributes(directory.path, now, this.#options.owner ?? header);
  }

  #link(header: TarHeader, path: string | Uint8Array): void {
    const target = this.#linkTarget(header);
    try {
      linkSync(fsPath(target), path as string);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "ENOENT" && code !== "EPERM" && code !== "ENOTDIR") throw error;
      throw invalid(
        `${JSON.stringify(header.path)} is a hard link to ${JSON.stringify(header.linkname)}, which is no file of the archive`,
      );
    }
  }

  #linkTarget(header: TarHeader): string {
    const components = cleanComponents(header.linkname ?? "");
    if (components.length === 0) throw invalid("a hard link has no target");
    return this.#tree.locate(components);
  }

  /** False where the kernel does not let us: devices in user namespaces, which containerd leaves out too. */
  #makeNode(header: TarHeader): boolean {
    const bits = deviceBits[header.type as keyof typeof deviceBits];
    // A device 0:0 is what overlayfs takes for a whiteout.
    this.#whole &&= header.devMajor !== 0 || header.devMinor !== 0;
    try {
      loadSyscalls().mknod(this.#path, bits | 0o600, header.devMajor ?? 0, header.devMinor ?? 0);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EPERM" && header.type !== "fifo") return false;
      throw error;
    }
  }

  #whiteout(parent: Directory, name: string): void {
    this.#whole = false;
    if (name === opaqueMark) {
      this.#hideBelow(parent);
      return;
    }
    // Other names of this form are aufs's own files, which mean nothing here.
    if (name.startsWith(".wh..wh.")) return;
    const hidden = name.slice(whiteoutPrefix.length);
    if (hidden === "" || hidden === "." || hidden === "..")
      throw invalid(`a whiteout hides ${JSON.stringify(hidden)}`);
    const path = `${parent.path}/${hidden}`;
    const stat = lstatSync(fsPath(path), { throwIfNoEntry: false });
    // Whiteouts apply to lower layers only: what this layer itself has stays.
    if (stat?.isDirectory())
      this.#hideBelow(parent.children.get(hidden) ?? this.#tree.add(parent, hidden, false));
    else if (stat === undefined) makeWhiteout(path);
  }

  #hideBelow(directory: Directory): void {
    if (this.#options.whiteouts !== "overlay") return;
    setOpaque(directory.path, this.#options.userXattr === true);
    if (directory === this.#tree.root) this.#opaqueRoot = true;
  }
}

function invalid(problem: string): KilnError {
  return new KilnError("ARCHIVE_INVALID", `tar archive: ${problem}`);
}
