// Stacks shown by the kernel's overlayfs: every layer directory is a lower one, an active snapshot the upper one.
import { chmodSync, lchownSync, lstatSync, mkdirSync } from "node:fs";
import type { Call } from "../../base/index.ts";
import { canChown } from "./attributes.ts";
import { adoptFuseMarks } from "./fuse-overlay.ts";
import { patchFor } from "./implied.ts";
import type { LayerInfo } from "./layer-documents.ts";
import type { LayerStore } from "./layer-store.ts";
import type { ActiveView, Views } from "./layered-snapshotter.ts";
import { withoutRepeats } from "./layers.ts";
import type { Mount, SnapshotLayer } from "./snapshot.ts";
import { dropUnchanged } from "./unchanged.ts";

export class OverlayViews implements Views {
  readonly name: "overlay" | "fuse";
  readonly #store: LayerStore;
  readonly #fuse: boolean;
  /** Directories of stacks that were prepared before, topmost first, by the layers' ids. */
  readonly #prepared = new Map<string, readonly string[]>();

  constructor(store: LayerStore, fuse = false) {
    this.name = fuse ? "fuse" : "overlay";
    this.#store = store;
    this.#fuse = fuse;
  }

  async view(layers: readonly SnapshotLayer[], _call: Call): Promise<readonly Mount[]> {
    const lower = await this.directories(layers);
    const [only] = lower;
    if (only === undefined) return [{ type: "bind", source: this.#store.empty(), readonly: true }];
    const bottom = withoutRepeats(layers)[0];
    const isWhole =
      lower.length === 1 && bottom !== undefined && this.#store.info(bottom.id).whole === true;
    if (isWhole) return [{ type: "bind", source: only, readonly: true }];
    // A layer alone would show its whiteouts as devices; overlayfs wants two directories to hide them.
    const directories = lower.length === 1 ? [only, this.#store.empty()] : lower;
    const { userXattr } = this.#store;
    return [{ type: "overlay", lower: directories, userXattr, fuse: this.#fuse }];
  }

  /** Directories that were prepared once are used for as long as this process lives: see `LayerStore.isLeasedHere`. */
  derived(): readonly string[] {
    return [];
  }

  active(staged: string, layers: readonly SnapshotLayer[]): ActiveView {
    return new OverlayActiveView(
      this.#store,
      staged,
      layers.length === 0 ? undefined : () => this.directories(layers),
      this.#fuse,
    );
  }

  /** The directories to mount, topmost first. */
  async directories(layers: readonly SnapshotLayer[]): Promise<readonly string[]> {
    const effective = withoutRepeats(layers);
    const key = effective.map((layer) => layer.id).join();
    const known = this.#prepared.get(key);
    if (known !== undefined) return known;
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
    this.#store.lease([{ id: patch.id }]);
    if (!this.#store.has(patch.id)) {
      const staged = this.#store.stage();
      patch.write(`${staged}/fs`);
      await this.#store.publish(staged, patch.id, {});
    }
    return [this.#store.files(patch.id), files, ...below];
  }
}

class OverlayActiveView implements ActiveView {
  readonly #store: LayerStore;
  readonly #staged: string;
  /** Undefined when there is nothing below. */
  readonly #below: (() => Promise<readonly string[]>) | undefined;
  readonly #fuse: boolean;
  #lower: readonly string[] | undefined;

  constructor(
    store: LayerStore,
    staged: string,
    below: (() => Promise<readonly string[]>) | undefined,
    fuse: boolean,
  ) {
    this.#fuse = fuse;
    this.#store = store;
    this.#staged = staged;
    this.#below = below;
  }

  async mounts(_call: Call): Promise<readonly Mount[]> {
    const upper = `${this.#staged}/fs`;
    if (this.#below === undefined) return [{ type: "bind", source: upper, readonly: false }];
    this.#lower ??= await this.#prepare(this.#below, upper);
    return [
      {
        type: "overlay",
        lower: this.#lower,
        upper,
        work: `${this.#staged}/work`,
        userXattr: this.#store.userXattr,
        fuse: this.#fuse,
      },
    ];
  }

  async finish(_id: string, _call: Call): Promise<LayerInfo> {
    if (this.#below === undefined) return { whole: true };
    // The upper directory is the layer already, but for what was passed through or written as it was.
    const { userXattr } = this.#store;
    if (this.#fuse) adoptFuseMarks(`${this.#staged}/fs`, userXattr);
    if (this.#lower) dropUnchanged({ upper: `${this.#staged}/fs`, lower: this.#lower, userXattr });
    return {};
  }

  async #prepare(
    below: () => Promise<readonly string[]>,
    upper: string,
  ): Promise<readonly string[]> {
    const lower = await below();
    mkdirSync(`${this.#staged}/work`, { recursive: true, mode: 0o700 });
    if (lower[0] !== undefined) copyRootAttributes(lower[0], upper);
    return lower.length === 0 ? [this.#store.empty()] : lower;
  }
}

/** Overlayfs shows the upper directory's own attributes for the root; they start as those of the layers below. */
function copyRootAttributes(from: string, to: string): void {
  const stat = lstatSync(from);
  if (canChown) lchownSync(to, stat.uid, stat.gid);
  chmodSync(to, stat.mode & 0o7777);
}
