// A layer directory as the tar that images carry: whiteouts as `.wh.` entries, sorted, nothing of this host in it.
import { type BigIntStats, closeSync, openSync, readlinkSync, readSync } from "node:fs";
import {
  type Bytes,
  type Call,
  compareNames,
  decodeName,
  fromNodeError,
  fsPath,
  KilnError,
  throwIfAborted,
} from "../../base/index.ts";
import {
  encodeTarHeader,
  type TarHeader,
  type TarType,
  tarEnd,
  tarPadding,
} from "../../formats/archive/index.ts";
import { canChown } from "./attributes.ts";
import type { LayerStore } from "./layer-store.ts";
import { type NotedOwner, takeOwner } from "./owner-note.ts";
import type { LayerTarOptions, SnapshotLayer } from "./snapshot.ts";
import {
  deviceOf,
  inside,
  isWhiteoutStat,
  namesIn,
  pathIn,
  readXattrs,
  statOf,
} from "./tree-files.ts";
import { isOpaque } from "./whiteout.ts";

/** Bytes gathered before they are passed on. */
const chunkSize = 1024 * 1024;
const nanoseconds = 1_000_000_000n;

/**
 * The uncompressed archive of the layer's files, the same bytes for the same files: entries in path order, whole seconds,
 * no user names, no root entry. Times later than `clamp` (seconds since 1970) become `clamp`; whiteouts carry it, or 0.
 * Behaviour: containerd archive.ChangeWriter as BuildKit uses it, but opaque directories are marked, not spelt out.
 */
export async function* layerTar(
  store: LayerStore,
  layer: SnapshotLayer,
  options: LayerTarOptions,
  unpack: () => Promise<void>,
  call: Call,
): Bytes {
  await unpack();
  const implied = new Set(store.info(layer.id).implied ?? []);
  const { userXattr } = store;
  const writer = new TreeWriter({ ...options, root: store.files(layer.id), implied, userXattr });
  try {
    yield* interruptible(writer.chunks(true), call);
  } catch (error) {
    throw fromNodeError(error, `reading layer ${layer.id}`);
  }
}

export interface TreeTarOptions {
  /** Seconds since 1970: later times become this. */
  readonly clamp?: number | undefined;
  /** Put before every path: empty, or ending in a slash. */
  readonly prefix?: string;
}

/**
 * The files below `root`, such as those of a mounted snapshot, as entries of an archive: what `Snapshotter.tar` gives of a
 * layer, but for whiteouts. `tarEnd` is left to the caller, who may have more to put in.
 */
export async function* treeTar(root: string, options: TreeTarOptions, call: Call): Bytes {
  const writer = new TreeWriter({ ...options, root, implied: new Set(), userXattr: false });
  try {
    yield* interruptible(writer.chunks(false), call);
  } catch (error) {
    throw fromNodeError(error, `reading ${root}`);
  }
}

function* interruptible(chunks: Iterable<Uint8Array>, call: Call): Iterable<Uint8Array> {
  for (const chunk of chunks) {
    throwIfAborted(call);
    yield chunk;
  }
}

interface TreeWriterOptions extends TreeTarOptions, LayerTarOptions {
  readonly root: string;
  /** Directories that are not told of. */
  readonly implied: ReadonlySet<string>;
  readonly userXattr: boolean;
}

class TreeWriter {
  readonly #root: string;
  readonly #prefix: string;
  readonly #implied: ReadonlySet<string>;
  readonly #clamp: bigint | undefined;
  readonly #userXattr: boolean;
  /** First names of files with several links, by device and inode. */
  readonly #links = new Map<string, string>();
  readonly #spare: Uint8Array[];
  #chunk: Uint8Array = new Uint8Array(chunkSize);
  #filled = 0;

  constructor({ root, prefix = "", implied, clamp, userXattr, spare = [] }: TreeWriterOptions) {
    this.#root = root;
    this.#prefix = prefix;
    this.#implied = implied;
    this.#clamp = clamp === undefined ? undefined : BigInt(clamp);
    this.#userXattr = userXattr;
    this.#spare = spare;
  }

  *chunks(ended: boolean): Generator<Uint8Array> {
    yield* this.#directory("");
    if (ended) yield* this.#put(tarEnd);
    if (this.#filled > 0) yield this.#chunk.subarray(0, this.#filled);
  }

  *#directory(path: string): Generator<Uint8Array> {
    const directory = this.#hostPath(path);
    if (isOpaque(directory, this.#userXattr))
      yield* this.#put(this.#whiteout(inside(path, ".wh..opq")));
    for (const name of namesIn(directory).sort(compareNames)) {
      const child = inside(path, name);
      const stat = statOf(this.#hostPath(child));
      // An overlay lists what one of its layers removes, also where nothing was.
      if (stat === undefined) continue;
      if (isWhiteoutStat(stat)) yield* this.#put(this.#whiteout(child));
      else yield* this.#entry(child, stat);
      if (stat.isDirectory()) yield* this.#directory(child);
    }
  }

  *#entry(path: string, stat: BigIntStats): Generator<Uint8Array> {
    const type = typeOf(stat);
    // Sockets have no place in an archive, and directories that the layer does not describe none in this one.
    if (type === undefined || this.#implied.has(path)) return;
    const first = stat.nlink > 1n && type !== "directory" ? this.#firstName(path, stat) : undefined;
    if (first !== undefined) {
      yield* this.#put(
        encodeTarHeader({
          ...this.#header(path, "hardlink", stat),
          linkname: this.#prefix + first,
        }),
      );
      return;
    }
    yield* this.#put(encodeTarHeader(this.#header(path, type, stat)));
    if (type === "file" && stat.size > 0n) yield* this.#contents(path, Number(stat.size));
  }

  #firstName(path: string, stat: BigIntStats): string | undefined {
    const key = `${stat.dev}:${stat.ino}`;
    const first = this.#links.get(key);
    if (first === undefined) this.#links.set(key, path);
    return first;
  }

  #header(path: string, type: TarType, stat: BigIntStats): TarHeader {
    const host = this.#hostPath(path);
    const { xattrs, owner = ownerOf(stat) } = type === "hardlink" ? {} : xattrsOf(host);
    return {
      path: this.#prefix + path,
      type,
      mode: Number(stat.mode) & 0o7777,
      uid: owner.uid,
      gid: owner.gid,
      size: type === "file" ? Number(stat.size) : 0,
      mtime: this.#time(stat.mtimeNs),
      ...(type === "symlink" ? { linkname: decodeName(readlinkSync(fsPath(host), "buffer")) } : {}),
      ...(type === "char-device" || type === "block-device" ? deviceOf(stat.rdev) : {}),
      ...(xattrs === undefined ? {} : { xattrs }),
    };
  }

  #time(mtime: bigint): bigint {
    const rest = ((mtime % nanoseconds) + nanoseconds) % nanoseconds;
    const seconds = (mtime - rest) / nanoseconds;
    return (
      (this.#clamp !== undefined && seconds > this.#clamp ? this.#clamp : seconds) * nanoseconds
    );
  }

  /** An entry of its own that says that `path` is gone. */
  #whiteout(path: string): Uint8Array {
    const slash = path.lastIndexOf("/") + 1;
    const name = `${path.slice(0, slash)}.wh.${path.slice(slash)}`;
    const mtime = (this.#clamp ?? 0n) * nanoseconds;
    return encodeTarHeader({ path: name, type: "file", mode: 0, uid: 0, gid: 0, size: 0, mtime });
  }

  /** Reads straight into the chunk that is being filled. */
  *#contents(path: string, size: number): Generator<Uint8Array> {
    const file = openSync(fsPath(this.#hostPath(path)), "r");
    try {
      for (let left = size; left > 0; ) {
        if (this.#filled === this.#chunk.length) yield this.#full();
        const length = Math.min(left, this.#chunk.length - this.#filled);
        const read = readSync(file, this.#chunk, this.#filled, length, null);
        if (read === 0)
          throw new KilnError(
            "SNAPSHOT_FAILED",
            `${path} became shorter while its layer was being read`,
          );
        this.#filled += read;
        left -= read;
      }
    } finally {
      closeSync(file);
    }
    yield* this.#put(tarEnd.subarray(0, tarPadding(size)));
  }

  *#put(bytes: Uint8Array): Generator<Uint8Array> {
    for (let at = 0; at < bytes.length; ) {
      if (this.#filled === this.#chunk.length) yield this.#full();
      const length = Math.min(bytes.length - at, this.#chunk.length - this.#filled);
      this.#chunk.set(bytes.subarray(at, at + length), this.#filled);
      this.#filled += length;
      at += length;
    }
  }

  #full(): Uint8Array {
    const full = this.#chunk;
    this.#chunk = this.#spare.pop() ?? new Uint8Array(chunkSize);
    this.#filled = 0;
    return full;
  }

  #hostPath(path: string): string {
    return pathIn(this.#root, path);
  }
}

/** Where everything must belong to the one user there is, what is not noted otherwise is root's. */
function ownerOf({ uid, gid }: BigIntStats): NotedOwner {
  return canChown ? { uid: Number(uid), gid: Number(gid) } : { uid: 0, gid: 0 };
}

function typeOf(stat: BigIntStats): TarType | undefined {
  if (stat.isFile()) return "file";
  if (stat.isDirectory()) return "directory";
  if (stat.isSymbolicLink()) return "symlink";
  if (stat.isCharacterDevice()) return "char-device";
  if (stat.isBlockDevice()) return "block-device";
  return stat.isFIFO() ? "fifo" : undefined;
}

interface Attributes {
  readonly xattrs?: ReadonlyMap<string, Uint8Array>;
  /** Whom the file belongs to in the image, where that is not who it belongs to here. */
  readonly owner?: NotedOwner;
}

/** Overlayfs's own marks and labels of this host's security modules stay behind. */
function xattrsOf(path: string): Attributes {
  const found = readXattrs(path);
  const owner = canChown ? undefined : takeOwner(found);
  for (const name of ["security.selinux", "security.ima", "security.evm"]) found.delete(name);
  return {
    ...(found.size === 0 ? {} : { xattrs: found }),
    ...(owner === undefined ? {} : { owner }),
  };
}
