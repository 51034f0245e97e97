// A committed stack of layers as a value with references: what `Snapshot` is for every snapshotter.
import type { Call } from "../../base/index.ts";
import type { LayerStore } from "./layer-store.ts";
import type { Mount, Snapshot, SnapshotLayer } from "./snapshot.ts";

/** Shows a stack read-only, fetching and unpacking what is missing. */
export type StackMounter = (
  layers: readonly SnapshotLayer[],
  call: Call,
) => Promise<readonly Mount[]>;

/** Hands out references to stacks and counts them: what is referenced is not collected. */
export class StackTable {
  readonly #store: LayerStore;
  readonly #mounter: StackMounter;
  readonly #derived: (layers: readonly SnapshotLayer[]) => readonly string[];
  readonly #counts = new Map<string, number>();

  /** `derived` names what is made of a stack's layers to show them: held as long as the stack. */
  constructor(
    store: LayerStore,
    mounter: StackMounter,
    derived: (layers: readonly SnapshotLayer[]) => readonly string[],
  ) {
    this.#store = store;
    this.#mounter = mounter;
    this.#derived = derived;
  }

  /** A new reference. Layers are leased before they are looked at, so that no other process collects them meanwhile. */
  open(layers: readonly SnapshotLayer[]): Snapshot {
    this.#store.lease(layers);
    return new StackSnapshot(this.#store.saveStack(layers), layers, this.#mounter, this);
  }

  retain(snapshot: Snapshot): void {
    for (const key of this.#keys(snapshot)) {
      this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
    }
  }

  release(snapshot: Snapshot): void {
    for (const key of this.#keys(snapshot)) {
      const count = (this.#counts.get(key) ?? 0) - 1;
      if (count > 0) this.#counts.set(key, count);
      else this.#counts.delete(key);
    }
  }

  /** Whether somebody in this process holds a reference to the stack or layer of that id. */
  isHeld(id: string): boolean {
    return this.#counts.has(id);
  }

  #keys({ id, layers }: Snapshot): readonly string[] {
    return [id, ...layers.map((layer) => layer.id), ...this.#derived(layers)];
  }
}

class StackSnapshot implements Snapshot {
  readonly id: string;
  readonly layers: readonly SnapshotLayer[];
  readonly #mounter: StackMounter;
  readonly #table: StackTable;
  #held = true;

  constructor(
    id: string,
    layers: readonly SnapshotLayer[],
    mounter: StackMounter,
    table: StackTable,
  ) {
    this.id = id;
    this.layers = layers;
    this.#mounter = mounter;
    this.#table = table;
    table.retain(this);
  }

  clone(): Snapshot {
    this.#assertHeld();
    return new StackSnapshot(this.id, this.layers, this.#mounter, this.#table);
  }

  mounts(call: Call): Promise<readonly Mount[]> {
    this.#assertHeld();
    return this.#mounter(this.layers, call);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#held) this.#table.release(this);
    this.#held = false;
  }

  #assertHeld(): void {
    if (!this.#held) throw new Error(`snapshot ${this.id} was used after its reference was let go`);
  }
}
