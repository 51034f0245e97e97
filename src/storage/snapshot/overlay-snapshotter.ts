// Snapshots as stacks of overlayfs layers: merge is concatenation, the difference of a stack that grew is its suffix.
import { randomBytes } from "node:crypto";
import { chmodSync, lchownSync, lstatSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { type Bytes, type Call, runAll, throwIfAborted } from "../../base/index.ts";
import { patchFor } from "./implied.ts";
import { LayerStore } from "./layer-store.ts";
import { layerTar } from "./layer-tar.ts";
import { mountAt } from "./mount.ts";
import type {
  ActiveSnapshot,
  LazyLayer,
  Mount,
  Snapshot,
  SnapshotLayer,
  Snapshotter,
} from "./snapshot.ts";
import { StackTable, withoutRepeats } from "./stack.ts";
import { type FetchBlob, Unpacker } from "./unpacker.ts";

export interface SnapshotterOptions {
  /** Directory of its own, on a file system that overlayfs takes as upper layer. Several processes may share it. */
  readonly dir: string;
  /** Where to get the blob of a layer whose `fetch` this process has not seen, e.g. after a restart. */
  readonly fetchBlob?: FetchBlob;
}

/** A snapshotter whose unused layers can be collected. */
export interface CollectableSnapshotter extends Snapshotter {
  /**
   * Deletes all layers and stacks but those of the snapshots in `keep` and of refs held by any live process. Answers with
   * the ids of the deleted layers.
   */
  removeUnused(keep: ReadonlySet<string>, call: Call): Promise<readonly string[]>;
}

/** Opens the store in `dir`, making it if absent; sweeps what crashed processes left. Mounts nothing. */
export async function openOverlaySnapshotter(
  options: SnapshotterOptions,
): Promise<CollectableSnapshotter> {
  return new OverlaySnapshotter(new LayerStore(options.dir), options.fetchBlob);
}

/** Why overlay mounts are impossible here for this process and directory; undefined where they work. */
export function probeOverlay(dir: string): string | undefined {
  let probe: string | undefined;
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    probe = mkdtempSync(`${dir}/probe-`);
    for (const name of ["lower", "upper", "work", "merged"]) mkdirSync(`${probe}/${name}`);
    const { userXattr } = new LayerStore(`${probe}/store`);
    const mount: Mount = {
      type: "overlay",
      lower: [`${probe}/lower`],
      upper: `${probe}/upper`,
      work: `${probe}/work`,
      userXattr,
    };
    mountAt([mount], `${probe}/merged`)[Symbol.dispose]();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    if (probe !== undefined) rmSync(probe, { recursive: true, force: true });
  }
}

class OverlaySnapshotter implements CollectableSnapshotter {
  readonly name = "overlay";
  readonly #store: LayerStore;
  readonly #unpacker: Unpacker;
  readonly #stacks: StackTable;
  /** Directories of stacks that were prepared before, topmost first, by the layers' ids. */
  readonly #prepared = new Map<string, readonly string[]>();

  constructor(store: LayerStore, fetchBlob: FetchBlob | undefined) {
    this.#store = store;
    this.#unpacker = new Unpacker(store, fetchBlob);
    this.#stacks = new StackTable(store, (layers, call) => this.#view(layers, call));
  }

  async active(parent: Snapshot | undefined, call: Call): Promise<ActiveSnapshot> {
    throwIfAborted(call);
    const staged = this.#store.stage();
    mkdirSync(`${staged}/work`, { mode: 0o700 });
    return new OverlayActive(this.#store, this.#stacks, staged, parent?.clone(), (layers, inner) =>
      this.#directories(layers, inner),
    );
  }

  async image(layers: readonly LazyLayer[], call: Call): Promise<Snapshot> {
    throwIfAborted(call);
    return this.#stacks.open(layers.map((layer) => this.#unpacker.register(layer)));
  }

  async merge(parents: readonly Snapshot[], call: Call): Promise<Snapshot> {
    throwIfAborted(call);
    return this.#stacks.open(parents.flatMap((parent) => parent.layers));
  }

  async diff(
    lower: Snapshot | undefined,
    upper: Snapshot | undefined,
    call: Call,
  ): Promise<Snapshot | undefined> {
    throwIfAborted(call);
    const below = lower?.layers ?? [];
    const above = upper?.layers ?? [];
    if (!below.every((layer, at) => above[at]?.id === layer.id)) throw new Error("not yet");
    const added = above.slice(below.length);
    return added.length === 0 ? undefined : this.#stacks.open(added);
  }

  tar(layer: SnapshotLayer, options: { readonly clamp?: number }, call: Call): Bytes {
    return layerTar(this.#store, layer, options, () => this.#unpacker.unpack(layer, call), call);
  }

  async open(id: string, call: Call): Promise<Snapshot | undefined> {
    throwIfAborted(call);
    const layers = this.#store.loadStack(id);
    if (layers === undefined) return undefined;
    const snapshot = this.#stacks.open(layers);
    // Leased now: what is there stays; what went meanwhile makes the stack gone.
    if (this.#store.loadStack(id) !== undefined) return snapshot;
    await snapshot[Symbol.asyncDispose]();
    return undefined;
  }

  async removeUnused(keep: ReadonlySet<string>, call: Call): Promise<readonly string[]> {
    return removeUnused(
      this.#store,
      (id) => keep.has(id) || this.#stacks.isHeld(id),
      call,
      () => this.#prepared.clear(),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store.close();
  }

  async #view(layers: readonly SnapshotLayer[], call: Call): Promise<readonly Mount[]> {
    const directories = await this.#directories(layers, call);
    const [only] = directories;
    if (only === undefined) return [{ type: "bind", source: this.#emptyLayer(), readonly: true }];
    if (directories.length === 1) return [{ type: "bind", source: only, readonly: true }];
    return [{ type: "overlay", lower: directories, userXattr: this.#store.userXattr }];
  }

  /** The directories to mount, topmost first, with every layer unpacked. */
  async #directories(layers: readonly SnapshotLayer[], call: Call): Promise<readonly string[]> {
    const effective = withoutRepeats(layers);
    const key = effective.map((layer) => layer.id).join();
    const known = this.#prepared.get(key);
    if (known !== undefined) return known;
    await runAll(effective, (layer, inner) => this.#unpacker.unpack(layer, inner), call);
    let directories: readonly string[] = [];
    for (const layer of effective) directories = await this.#onTop(layer, directories);
    this.#prepared.set(key, directories);
    return directories;
  }

  async #onTop(layer: SnapshotLayer, below: readonly string[]): Promise<readonly string[]> {
    const files = this.#store.files(layer.id);
    const { implied, opaqueRoot } = this.#store.info(layer.id);
    if (opaqueRoot === true || below.length === 0) return [files];
    const patch =
      implied === undefined ? undefined : patchFor(files, implied, below, this.#store.userXattr);
    if (patch === undefined) return [files, ...below];
    if (!this.#store.has(patch.id)) {
      const staged = this.#store.stage();
      patch.write(`${staged}/fs`);
      await this.#store.publish(staged, patch.id, {});
    }
    this.#store.lease([{ id: patch.id }]);
    return [this.#store.files(patch.id), files, ...below];
  }

  #emptyLayer(): string {
    const directory = `${this.#store.dir}/empty`;
    mkdirSync(directory, { recursive: true, mode: 0o755 });
    return directory;
  }
}

type Prepare = (layers: readonly SnapshotLayer[], call: Call) => Promise<readonly string[]>;

/** A writable layer over its parent's; belongs to whoever asked for it. */
class OverlayActive implements ActiveSnapshot {
  readonly #store: LayerStore;
  readonly #stacks: StackTable;
  readonly #staged: string;
  readonly #parent: Snapshot | undefined;
  readonly #prepare: Prepare;
  #rooted = false;
  #open = true;

  constructor(
    store: LayerStore,
    stacks: StackTable,
    staged: string,
    parent: Snapshot | undefined,
    prepare: Prepare,
  ) {
    this.#store = store;
    this.#stacks = stacks;
    this.#staged = staged;
    this.#parent = parent;
    this.#prepare = prepare;
  }

  async mounts(call: Call): Promise<readonly Mount[]> {
    const upper = `${this.#staged}/fs`;
    const lower = this.#parent === undefined ? [] : await this.#prepare(this.#parent.layers, call);
    const [top] = lower;
    if (top === undefined) return [{ type: "bind", source: upper, readonly: false }];
    if (!this.#rooted) copyRootAttributes(top, upper);
    this.#rooted = true;
    return [
      {
        type: "overlay",
        lower,
        upper,
        work: `${this.#staged}/work`,
        userXattr: this.#store.userXattr,
      },
    ];
  }

  async commit(call: Call): Promise<Snapshot> {
    throwIfAborted(call);
    if (!this.#open) throw new Error("this snapshot was committed or thrown away before");
    const id = `layer-${randomBytes(16).toString("hex")}`;
    // Never mounted, so nobody has looked at what lies below: its root's attributes are those of the lower layers.
    const unseen = this.#parent !== undefined && !this.#rooted;
    await this.#store.publish(this.#staged, id, unseen ? { implied: [""] } : {});
    this.#open = false;
    const snapshot = this.#stacks.open([...(this.#parent?.layers ?? []), { id }]);
    await this.#parent?.[Symbol.asyncDispose]();
    return snapshot;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await this.#store.discard(this.#staged);
    await this.#parent?.[Symbol.asyncDispose]();
  }
}

/** Overlayfs shows the upper directory's own attributes for the root; they start as those of the layers below. */
function copyRootAttributes(from: string, to: string): void {
  const stat = lstatSync(from);
  if (process.geteuid?.() === 0) lchownSync(to, stat.uid, stat.gid);
  chmodSync(to, stat.mode & 0o7777);
}

/** Deletes every stack and layer that nobody needs; see `CollectableSnapshotter`. */
async function removeUnused(
  store: LayerStore,
  isKept: (id: string) => boolean,
  call: Call,
  onRemoved: () => void,
): Promise<readonly string[]> {
  const needed = new Set(store.leasedElsewhere());
  for (const stack of store.stackIds()) {
    if (!isKept(stack)) store.removeStack(stack);
    else for (const layer of store.loadStack(stack) ?? []) needed.add(layer.id);
  }
  const removed: string[] = [];
  for (const id of store.layerIds()) {
    throwIfAborted(call);
    if (needed.has(id) || isKept(id)) continue;
    if (await store.remove(id)) removed.push(id);
  }
  onRemoved();
  return removed;
}
