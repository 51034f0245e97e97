// File systems as stacks of layers: each layer a directory of changes, never touched again once committed.
import type { Bytes, Call, Digest } from "../../base/index.ts";
import type { Descriptor } from "../../formats/oci/index.ts";

/** What the kernel is asked for; nothing is mounted until `mountAt` or `withMounted` does it. */
export type Mount =
  | { readonly type: "bind"; readonly source: string; readonly readonly: boolean }
  | {
      readonly type: "overlay";
      /** Topmost first. */
      readonly lower: readonly string[];
      readonly upper?: string;
      readonly work?: string;
      /** Whether overlayfs keeps its marks in `user.` attributes (in a user namespace) instead of `trusted.` ones. */
      readonly userXattr?: boolean;
      /** Whether fuse-overlayfs is to do what the kernel does not. */
      readonly fuse?: boolean;
    };

/** The blob that a layer came from or was exported as. */
export interface LayerBlob {
  readonly descriptor: Descriptor;
  /** Digest of the uncompressed tar. */
  readonly diffId: Digest;
}

/** One committed set of changes. Layers do not know what they lie on, so any stack can use them (merge needs no copy). */
export interface SnapshotLayer {
  /** Safe as a file name, stable over restarts. */
  readonly id: string;
  /** Set for a layer that came from an image: it may not have been downloaded yet, and is never exported anew. */
  readonly blob?: LayerBlob;
}

/** While a ref is held its files stay. Disposing the last one makes them collectable. */
export interface Snapshot extends AsyncDisposable {
  /** Names the stack; `Snapshotter.open(id)` finds it again, also after a restart. */
  readonly id: string;
  /** Oldest first. */
  readonly layers: readonly SnapshotLayer[];
  clone(): Snapshot;
  /** Read-only view. Downloads and unpacks layers that were left lazy. */
  mounts(call: Call): Promise<readonly Mount[]>;
  /**
   * Set where the files lie ready in a directory of the asking side: read them one by one from there. `mounts()` still
   * works, and makes a copy.
   */
  readonly tree?: HostTree;
}

/** Extended attributes by name. */
export type Xattrs = ReadonlyMap<string, Uint8Array>;

/** A filtered view of a directory that Kiln does not own and never writes to. */
export interface HostTree {
  /** Absolute; only a name for messages where `contents` is set. */
  readonly directory: string;
  /**
   * Set where files are not in a directory under their names: the directory that has their contents by digest, which is
   * Kiln's own, so that nobody changes them.
   */
  readonly contents?: string;
  /** In path order, parents before children; relative paths with forward slashes. Only these exist. */
  readonly entries: readonly HostEntry[];
  /** Patterns that left files out, for messages about what is missing. */
  readonly excluded?: readonly string[];
}

export interface HostEntry {
  readonly path: string;
  readonly mode: number;
  readonly size: number;
  /** Nanoseconds since 1970. */
  readonly mtime: bigint;
  readonly linkname?: string;
  /** Of those that mean the same on every machine; undefined where nobody has looked. */
  readonly xattrs?: Xattrs;
  /** Of a regular file: its header as BuildKit hashes it (owner 0, no times), with `xattrs`, and its bytes. */
  readonly digest?: Digest;
  /** Same for all names of one file that has several. */
  readonly shared?: string;
}

export interface ActiveSnapshot extends AsyncDisposable {
  /** Writable view. */
  mounts(call: Call): Promise<readonly Mount[]>;
  /** Freezes the files. Disposing without having committed throws them away. */
  commit(call: Call): Promise<Snapshot>;
}

/** A layer of an image that may stay where it is until somebody needs its files. */
export interface LazyLayer extends LayerBlob {
  /** The blob as it is stored (compressed); called at most once at a time, verified by the provider. */
  fetch(call: Call): Bytes;
}

export interface LayerTarOptions {
  /** Seconds since 1970: every later time becomes this. */
  readonly clamp?: number | undefined;
  /** Chunks that were read before and are not needed any more: they are filled again instead of new ones. */
  readonly spare?: Uint8Array[] | undefined;
}

export interface Snapshotter extends AsyncDisposable {
  readonly name: "overlay" | "fuse" | "copy";
  active(parent: Snapshot | undefined, call: Call): Promise<ActiveSnapshot>;
  /** A stack of image layers; nothing is fetched before `mounts()`. Layers already unpacked are reused, in parallel otherwise. */
  image(layers: readonly LazyLayer[], call: Call): Promise<Snapshot>;
  merge(parents: readonly Snapshot[], call: Call): Promise<Snapshot>;
  /** What `upper` adds to, changes in, and removes from `lower`, as a stack of its own. */
  diff(
    lower: Snapshot | undefined,
    upper: Snapshot | undefined,
    call: Call,
  ): Promise<Snapshot | undefined>;
  /** One layer as an uncompressed, deterministic tar. */
  tar(layer: SnapshotLayer, options: LayerTarOptions, call: Call): Bytes;
  /** Where the files of a layer lie, for reading and linking while a snapshot with it is held. Undefined when they are not here. */
  directory(layer: SnapshotLayer): string | undefined;
  /** Undefined when it is gone. */
  open(id: string, call: Call): Promise<Snapshot | undefined>;
}
