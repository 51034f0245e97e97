// What all snapshotters share: stacks of layers on disk. How a stack is shown, and how a writable one becomes a layer, is the views' part.
import { type Bytes, type Call, fromNodeError, throwIfAborted } from "../../base/index.ts";
import { explain, LayerActive } from "./layer-active.ts";
import type { LayerInfo } from "./layer-documents.ts";
import type { LayerStore } from "./layer-store.ts";
import { layerTar } from "./layer-tar.ts";
import { isPrefix, newLayerId } from "./layers.ts";
import { withMounted } from "./mount.ts";
import type {
  ActiveSnapshot,
  LayerTarOptions,
  LazyLayer,
  Mount,
  Snapshot,
  SnapshotLayer,
  Snapshotter,
} from "./snapshot.ts";
import { StackTable } from "./stack.ts";
import { diffTrees } from "./tree-diff.ts";
import { type FetchBlob, Unpacker } from "./unpacker.ts";

export interface SnapshotterOptions {
  /** Directory of its own; for overlay on a file system that overlayfs takes as upper layer. Several processes may share it. */
  readonly dir: string;
  /** Where to get the blob of a layer whose `fetch` this process has not seen, e.g. after a restart. */
  readonly fetchBlob?: FetchBlob;
}

/** A committed layer as it lies on disk. */
export interface StoredLayer {
  readonly id: string;
  /** The directory with all that belongs to it. */
  readonly path: string;
  /** Held by a live process. */
  readonly inUse: boolean;
}

export interface StoredStack {
  readonly id: string;
  /** Oldest first; not all of an image's need to be on disk. Empty where the file is damaged, too. */
  readonly layers: readonly SnapshotLayer[];
  readonly usedAt: Date;
  /** In how many processes it was made or opened. */
  readonly uses: number;
  readonly inUse: boolean;
}

export interface StoredSnapshots {
  readonly layers: readonly StoredLayer[];
  readonly stacks: readonly StoredStack[];
}

/** A snapshotter whose unused layers can be collected. */
export interface CollectableSnapshotter extends Snapshotter {
  /**
   * Deletes all layers and stacks but those of the snapshots in `keep` and of refs held by any live process. Answers with
   * the ids of the deleted layers.
   */
  removeUnused(keep: ReadonlySet<string>, call: Call): Promise<readonly string[]>;
  /** What is on disk at this moment. */
  contents(): StoredSnapshots;
  /** What is wrong with it, one sentence each: layers without files or description. */
  check(): readonly string[];
  /**
   * Deletes stacks and layers, but for what any live process holds; a stack without all its layers is gone for `open`.
   * Answers with the ids of what was deleted. Others may be using the store: what they hold when they have looked stays.
   */
  remove(
    ids: { readonly stacks: readonly string[]; readonly layers: readonly string[] },
    call: Call,
  ): Promise<readonly string[]>;
}

/** One way to show stacks of layers as directories. */
export interface Views {
  readonly name: "overlay" | "fuse" | "copy";
  /** Read-only, of layers that are all unpacked. */
  view(layers: readonly SnapshotLayer[], call: Call): Promise<readonly Mount[]>;
  /** Ids of layers that `view` makes of such layers, which nobody needs while the stack is not used. */
  derived(layers: readonly SnapshotLayer[]): readonly string[];
  /** Writable over such layers, with what is written kept in the staged directory. */
  active(staged: string, layers: readonly SnapshotLayer[]): ActiveView;
}

export interface ActiveView {
  mounts(call: Call): Promise<readonly Mount[]>;
  /** Makes the staged `fs` hold just the changes, about to become the layer `id`. */
  finish(id: string, call: Call): Promise<LayerInfo>;
}

export class LayeredSnapshotter implements CollectableSnapshotter {
  readonly name: "overlay" | "fuse" | "copy";
  readonly #store: LayerStore;
  readonly #views: Views;
  readonly #unpacker: Unpacker;
  readonly #stacks: StackTable;

  constructor(store: LayerStore, views: Views, fetchBlob: FetchBlob | undefined) {
    this.name = views.name;
    this.#store = store;
    this.#views = views;
    this.#unpacker = new Unpacker(store, fetchBlob);
    this.#stacks = new StackTable(
      store,
      (layers, call) => this.#view(layers, call),
      (layers) => views.derived(layers),
    );
  }

  async active(parent: Snapshot | undefined, call: Call): Promise<ActiveSnapshot> {
    throwIfAborted(call);
    const layers = await layersOf(parent, call);
    const staged = this.#store.stage();
    const view = this.#views.active(staged, layers);
    return new LayerActive({
      store: this.#store,
      stacks: this.#stacks,
      unpacker: this.#unpacker,
      staged,
      view,
      parent: parent?.clone(),
    });
  }

  async image(layers: readonly LazyLayer[], call: Call): Promise<Snapshot> {
    throwIfAborted(call);
    return this.#stacks.open(layers.map((layer) => this.#unpacker.register(layer)));
  }

  async merge(parents: readonly Snapshot[], call: Call): Promise<Snapshot> {
    throwIfAborted(call);
    const stacks: (readonly SnapshotLayer[])[] = [];
    for (const parent of parents) stacks.push(await layersOf(parent, call));
    return this.#stacks.open(stacks.flat());
  }

  async diff(
    lower: Snapshot | undefined,
    upper: Snapshot | undefined,
    call: Call,
  ): Promise<Snapshot | undefined> {
    throwIfAborted(call);
    const below = await layersOf(lower, call);
    const above = await layersOf(upper, call);
    if (!isPrefix(below, above)) return this.#compare(lower, upper, call);
    const added = above.slice(below.length);
    return added.length === 0 ? undefined : this.#stacks.open(added);
  }

  tar(layer: SnapshotLayer, options: LayerTarOptions, call: Call): Bytes {
    return layerTar(this.#store, layer, options, () => this.#unpacker.unpack(layer, call), call);
  }

  directory(layer: SnapshotLayer): string | undefined {
    return this.#store.has(layer.id) ? this.#store.files(layer.id) : undefined;
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
    throwIfAborted(call);
    const { stacks, layers } = this.contents();
    const kept = stacks.filter(({ id, inUse }) => inUse || keep.has(id));
    const needed = new Set([...keep, ...kept.flatMap((stack) => stack.layers.map(({ id }) => id))]);
    const unused = layers.filter(({ id, inUse }) => !inUse && !needed.has(id)).map(({ id }) => id);
    const going = stacks.filter((stack) => !kept.includes(stack)).map(({ id }) => id);
    const removed = new Set(await this.remove({ stacks: going, layers: unused }, call));
    return unused.filter((id) => removed.has(id));
  }

  contents(): StoredSnapshots {
    const store = this.#store;
    const elsewhere = store.leasedElsewhere();
    const isInUse = (id: string) =>
      elsewhere.has(id) || this.#stacks.isHeld(id) || store.isLeasedHere(id);
    return {
      layers: store.layerIds().map((id) => ({ id, path: store.place(id), inUse: isInUse(id) })),
      stacks: store.stacks.ids().flatMap((id) => {
        const layers = store.stacks.read(id);
        const use = store.stacks.use(id);
        if (use === undefined) return [];
        return [{ id, layers: layers ?? [], usedAt: use.at, uses: use.count, inUse: isInUse(id) }];
      }),
    };
  }

  check(): readonly string[] {
    return this.#store.layerIds().flatMap((id) => {
      if (!this.#store.has(id)) return [`layer ${id}: its files are gone`];
      try {
        this.#store.info(id);
        return [];
      } catch (error) {
        return [error instanceof Error ? error.message : String(error)];
      }
    });
  }

  async remove(
    { stacks, layers }: { readonly stacks: readonly string[]; readonly layers: readonly string[] },
    call: Call,
  ): Promise<readonly string[]> {
    throwIfAborted(call);
    const isFree = (id: string) => !this.#stacks.isHeld(id) && !this.#store.isLeasedHere(id);
    return this.#store
      .remove({ stacks: stacks.filter(isFree), layers: layers.filter(isFree) })
      .catch(explain("removing snapshots"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store.close();
  }

  async #view(layers: readonly SnapshotLayer[], call: Call): Promise<readonly Mount[]> {
    await this.#unpacker.unpackAll(layers, call);
    return this.#views.view(layers, call).catch(explain("showing a snapshot"));
  }

  /** Neither stack grew out of the other: their files have to be compared. */
  async #compare(
    lower: Snapshot | undefined,
    upper: Snapshot | undefined,
    call: Call,
  ): Promise<Snapshot | undefined> {
    const staged = this.#store.stage();
    const show = (snapshot: Snapshot | undefined) => this.#view(snapshot?.layers ?? [], call);
    try {
      const [below, above] = [await show(lower), await show(upper)];
      const changed = await withMounted(below, call, (from) =>
        withMounted(above, call, (to) =>
          diffTrees(
            { lower: from, upper: to, out: `${staged}/fs`, userXattr: this.#store.userXattr },
            call,
          ),
        ),
      );
      if (!changed) {
        await this.#store.discard(staged);
        return undefined;
      }
      const id = newLayerId();
      await this.#store.publish(staged, id, {});
      return this.#stacks.open([{ id }]);
    } catch (error) {
      await this.#store.discard(staged);
      throw fromNodeError(error, "comparing two snapshots");
    }
  }
}

/** The layers of a stack; files that lie ready elsewhere become one first. */
async function layersOf(
  snapshot: Snapshot | undefined,
  call: Call,
): Promise<readonly SnapshotLayer[]> {
  if (snapshot?.tree) await snapshot.mounts(call);
  return snapshot?.layers ?? [];
}
