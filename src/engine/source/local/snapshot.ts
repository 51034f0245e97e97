// A host tree as a snapshot: read in place where that will do, copied into the store once where it will not.
import { chmodSync, copyFileSync, linkSync, mkdirSync, symlinkSync } from "node:fs";
import { type Call, type Digest, digestHex, fromNodeError, Once } from "../../../base/index.ts";
import { fileType } from "../../../storage/directory/index.ts";
import {
  applyXattrs,
  type HostEntry,
  type HostTree,
  loadSyscalls,
  type Mount,
  type Snapshot,
  type SnapshotLayer,
  type Snapshotter,
  withMounted,
} from "../../../storage/snapshot/index.ts";
import { checkUnchanged, hostFile, hostXattrs } from "../host-tree.ts";

/** The copy in the store, made at the first need and let go with the last snapshot that shares it. */
interface Copy {
  readonly once: Once<"copy", Snapshot>;
  made: Snapshot | undefined;
  holders: number;
  readonly onRelease: (() => void) | undefined;
}

/**
 * A snapshot that is the tree itself. `mounts()` copies it into the store once; `layers` are the copy's then. `onRelease`
 * is told when nobody holds it any more.
 */
export function createTreeSnapshot(
  tree: HostTree,
  content: Digest,
  snapshotter: Snapshotter,
  onRelease?: () => void,
): Snapshot {
  return new TreeSnapshot(tree, content, snapshotter, {
    once: new Once(),
    made: undefined,
    holders: 0,
    onRelease,
  });
}

class TreeSnapshot implements Snapshot {
  readonly tree: HostTree;
  readonly id: string;
  readonly #content: Digest;
  readonly #snapshotter: Snapshotter;
  readonly #copy: Copy;
  #held = true;

  constructor(tree: HostTree, content: Digest, snapshotter: Snapshotter, copy: Copy) {
    this.tree = tree;
    this.id = `tree-${digestHex(content)}`;
    this.#content = content;
    this.#snapshotter = snapshotter;
    this.#copy = copy;
    copy.holders++;
  }

  /** Empty until `mounts()` has made the copy. */
  get layers(): readonly SnapshotLayer[] {
    return this.#copy.made?.layers ?? [];
  }

  clone(): Snapshot {
    return new TreeSnapshot(this.tree, this.#content, this.#snapshotter, this.#copy);
  }

  async mounts(call: Call): Promise<readonly Mount[]> {
    const copy = this.#copy;
    copy.made ??= await copy.once.run(
      "copy",
      (c) => copyTree(this.tree, this.#snapshotter, c),
      call,
    );
    return copy.made.mounts(call);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#held) return;
    this.#held = false;
    this.#copy.holders--;
    if (this.#copy.holders > 0) return;
    this.#copy.onRelease?.();
    await this.#copy.made?.[Symbol.asyncDispose]();
    this.#copy.made = undefined;
  }
}

async function copyTree(tree: HostTree, snapshotter: Snapshotter, call: Call): Promise<Snapshot> {
  await using active = await snapshotter.active(undefined, call);
  const mounts = await active.mounts(call);
  await withMounted(mounts, call, (directory) => {
    const copied = new Map<string, string>();
    for (const entry of tree.entries) {
      const target = `${directory}/${entry.path}`;
      const first = entry.shared === undefined ? undefined : copied.get(entry.shared);
      if (first !== undefined) linkSync(first, target);
      else copyEntry(tree, entry, target, call);
      if (entry.shared !== undefined) copied.set(entry.shared, first ?? target);
    }
    // Last, since making files in a directory changes its time; the deepest first for the same reason.
    for (const entry of tree.entries.toReversed()) {
      if (fileType(entry.mode) === "directory") setTimes(`${directory}/${entry.path}`, entry.mtime);
    }
  });
  return await active.commit(call);
}

function copyEntry(tree: HostTree, entry: HostEntry, target: string, call: Call): void {
  call.signal.throwIfAborted();
  const mode = entry.mode & 0o7777;
  try {
    switch (fileType(entry.mode)) {
      case "directory":
        mkdirSync(target);
        chmodSync(target, mode);
        applyXattrs(target, hostXattrs(tree, entry));
        return;
      case "symlink":
        symlinkSync(entry.linkname ?? "", target);
        setTimes(target, entry.mtime);
        return;
      case "fifo":
        loadSyscalls().mknod(target, entry.mode, 0, 0);
        chmodSync(target, mode);
        setTimes(target, entry.mtime);
        return;
      default:
        copyFileSync(hostFile(tree, entry), target);
        chmodSync(target, mode);
        applyXattrs(target, hostXattrs(tree, entry));
        checkUnchanged(tree, entry);
        setTimes(target, entry.mtime);
    }
  } catch (error) {
    throw fromNodeError(error, `copying ${entry.path} from the build context`);
  }
}

function setTimes(path: string, mtime: bigint): void {
  loadSyscalls().utimensat(path, mtime, mtime);
}
