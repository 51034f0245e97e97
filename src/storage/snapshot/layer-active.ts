// A snapshot that is being written: a layer of its own over those of its parent, until it is committed or thrown away.
import { type Call, fromNodeError, throwIfAborted } from "../../base/index.ts";
import type { LayerStore } from "./layer-store.ts";
import type { ActiveView } from "./layered-snapshotter.ts";
import { newLayerId } from "./layers.ts";
import type { ActiveSnapshot, Mount, Snapshot } from "./snapshot.ts";
import type { StackTable } from "./stack.ts";
import type { Unpacker } from "./unpacker.ts";

interface ActiveParts {
  readonly store: LayerStore;
  readonly stacks: StackTable;
  readonly unpacker: Unpacker;
  readonly staged: string;
  readonly view: ActiveView;
  /** Owned. */
  readonly parent: Snapshot | undefined;
}

/** A writable layer over its parent's; belongs to whoever asked for it. */
export class LayerActive implements ActiveSnapshot {
  readonly #parts: ActiveParts;
  #mounted = false;
  #open = true;

  constructor(parts: ActiveParts) {
    this.#parts = parts;
  }

  async mounts(call: Call): Promise<readonly Mount[]> {
    const { unpacker, parent, view } = this.#parts;
    await unpacker.unpackAll(parent?.layers ?? [], call);
    this.#mounted = true;
    return view.mounts(call).catch(explain("preparing a snapshot"));
  }

  async commit(call: Call): Promise<Snapshot> {
    throwIfAborted(call);
    if (!this.#open) throw new Error("this snapshot was committed or thrown away before");
    const { store, stacks, staged, parent, view } = this.#parts;
    const id = newLayerId();
    // Never shown, so never changed; and its root does not know yet what the layers below look like.
    const info = this.#mounted
      ? await view.finish(id, call).catch(explain("committing a snapshot"))
      : { implied: [""] };
    await store.publish(staged, id, info);
    this.#open = false;
    const snapshot = stacks.open([...(parent?.layers ?? []), { id }]);
    await parent?.[Symbol.asyncDispose]();
    return snapshot;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await this.#parts.store.discard(this.#parts.staged);
    await this.#parts.parent?.[Symbol.asyncDispose]();
  }
}

/** A full disk or missing rights, whatever was being done when they showed. */
export function explain(doing: string): (error: unknown) => never {
  return (error) => {
    throw fromNodeError(error, doing);
  };
}
