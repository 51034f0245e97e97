// Stacks shown as plain directories: read-only ones share their files with the layers, writable ones are full copies.
import { createHash } from "node:crypto";
import { type BigIntStats, mkdirSync, renameSync } from "node:fs";
import { type Call, fsPath, throwIfAborted } from "../../base/index.ts";
import { applyTime } from "./attributes.ts";
import type { LayerInfo } from "./layer-documents.ts";
import type { LayerStore } from "./layer-store.ts";
import type { ActiveView, Views } from "./layered-snapshotter.ts";
import { withoutRepeats } from "./layers.ts";
import { removeTreeSync } from "./remove-tree.ts";
import type { Mount, SnapshotLayer } from "./snapshot.ts";
import { diffTrees } from "./tree-diff.ts";
import {
  copyAttributes,
  FilePlacer,
  inside,
  isWhiteoutStat,
  namesIn,
  pathIn,
  statOf,
} from "./tree-files.ts";
import { isOpaque } from "./whiteout.ts";

export class CopyViews implements Views {
  readonly name = "copy";
  readonly #store: LayerStore;

  constructor(store: LayerStore) {
    this.#store = store;
  }

  async view(layers: readonly SnapshotLayer[], call: Call): Promise<readonly Mount[]> {
    return [{ type: "bind", source: await this.#flat(layers, call), readonly: true }];
  }

  derived(layers: readonly SnapshotLayer[]): readonly string[] {
    return layers.length === 0 ? [] : [flatId(layers)];
  }

  active(staged: string, layers: readonly SnapshotLayer[]): ActiveView {
    const flat = layers.length === 0 ? undefined : (call: Call) => this.#flat(layers, call);
    return new CopyActiveView(this.#store, staged, flat, (id) => flatId([...layers, { id }]));
  }

  /** The directory with all files of the stack, made by linking them; no two stacks are flattened at once. */
  async #flat(layers: readonly SnapshotLayer[], call: Call): Promise<string> {
    if (layers.length === 0) return this.#store.empty();
    const id = flatId(layers);
    this.#store.lease([{ id }]);
    if (!this.#store.has(id)) {
      const staged = this.#store.stage();
      try {
        for (const layer of withoutRepeats(layers)) this.#addLayer(`${staged}/fs`, layer.id, call);
      } catch (error) {
        await this.#store.discard(staged);
        throw error;
      }
      await this.#store.publish(staged, id, {});
    }
    return this.#store.files(id);
  }

  #addLayer(tree: string, id: string, call: Call): void {
    const { implied } = this.#store.info(id);
    new LayerFlattener(
      this.#store.files(id),
      tree,
      new Set(implied),
      this.#store.userXattr,
      call,
    ).run();
  }
}

/** Applies one layer directory to a tree, as overlayfs would show it. */
class LayerFlattener {
  readonly #layer: string;
  readonly #tree: string;
  readonly #implied: ReadonlySet<string>;
  readonly #userXattr: boolean;
  readonly #call: Call;
  readonly #placer = new FilePlacer(true);

  constructor(
    layer: string,
    tree: string,
    implied: ReadonlySet<string>,
    userXattr: boolean,
    call: Call,
  ) {
    this.#layer = layer;
    this.#tree = tree;
    this.#implied = implied;
    this.#userXattr = userXattr;
    this.#call = call;
  }

  run(): void {
    this.#directory("", statOf(this.#layer), true);
  }

  #directory(path: string, stat: BigIntStats | undefined, existed: boolean): void {
    throwIfAborted(this.#call);
    if (stat === undefined) return;
    const [from, to] = [pathIn(this.#layer, path), pathIn(this.#tree, path)];
    const before = existed ? statOf(to) : undefined;
    if (existed && isOpaque(from, this.#userXattr)) {
      for (const name of namesIn(to)) removeTreeSync(`${to}/${name}`);
    }
    for (const name of namesIn(from)) this.#entry(inside(path, name));
    // What the layer does not describe keeps the looks that it had.
    const looks = existed && this.#implied.has(path) ? before : undefined;
    if (looks === undefined) copyAttributes(from, to, stat);
    else if (before !== undefined) copyTimes(to, before);
  }

  #entry(path: string): void {
    const [from, to] = [pathIn(this.#layer, path), pathIn(this.#tree, path)];
    const stat = statOf(from);
    const old = statOf(to);
    if (stat === undefined) return;
    const isDirectory = stat.isDirectory();
    const merges = isDirectory && old?.isDirectory() === true;
    if (old !== undefined && !merges) removeTreeSync(to);
    if (isWhiteoutStat(stat)) return;
    if (!isDirectory) {
      this.#placer.place(from, to, stat);
      return;
    }
    if (!merges) mkdirSync(fsPath(to));
    this.#directory(path, stat, merges);
  }
}

/** The looks of a directory survive all but its time, which what was put into it has changed. */
function copyTimes(directory: string, stat: BigIntStats): void {
  applyTime(directory, stat.mtimeNs);
}

class CopyActiveView implements ActiveView {
  readonly #store: LayerStore;
  readonly #staged: string;
  readonly #below: ((call: Call) => Promise<string>) | undefined;
  readonly #flatIdWith: (layerId: string) => string;
  #flat: string | undefined;
  /** Inode and change time of every file as copied: whatever touched one since shows. */
  readonly #copied = new Map<string, string>();

  constructor(
    store: LayerStore,
    staged: string,
    below: ((call: Call) => Promise<string>) | undefined,
    flatIdWith: (layerId: string) => string,
  ) {
    this.#store = store;
    this.#staged = staged;
    this.#below = below;
    this.#flatIdWith = flatIdWith;
  }

  async mounts(call: Call): Promise<readonly Mount[]> {
    if (this.#below === undefined)
      return [{ type: "bind", source: `${this.#staged}/fs`, readonly: false }];
    const tree = `${this.#staged}/tree`;
    if (this.#flat === undefined) {
      const flat = await this.#below(call);
      removeTreeSync(tree);
      copyTree(flat, tree, this.#copied, call);
      this.#flat = flat;
    }
    return [{ type: "bind", source: tree, readonly: false }];
  }

  async finish(id: string, call: Call): Promise<LayerInfo> {
    if (this.#flat === undefined) return { whole: true };
    const tree = `${this.#staged}/tree`;
    await diffTrees(
      {
        lower: this.#flat,
        upper: tree,
        out: `${this.#staged}/fs`,
        userXattr: this.#store.userXattr,
        isUnchanged: (path, stat) => this.#copied.get(path) === identityOf(stat),
        link: true,
      },
      call,
    );
    // The tree is what the new stack looks like: no need to flatten it again.
    const flat = this.#store.stage();
    removeTreeSync(`${flat}/fs`);
    renameSync(tree, `${flat}/fs`);
    const flatLayer = this.#flatIdWith(id);
    this.#store.lease([{ id: flatLayer }]);
    await this.#store.publish(flat, flatLayer, {});
    return {};
  }
}

/** Copies everything, and notes what each file was like then. */
function copyTree(from: string, to: string, copied: Map<string, string>, call: Call): void {
  const placer = new FilePlacer(false);
  const linked: string[] = [];
  const walk = (path: string, stat: BigIntStats): void => {
    throwIfAborted(call);
    mkdirSync(fsPath(pathIn(to, path)));
    for (const name of namesIn(pathIn(from, path))) {
      const child = inside(path, name);
      const found = statOf(pathIn(from, child));
      if (found === undefined) continue;
      if (found.isDirectory()) walk(child, found);
      else {
        placer.place(pathIn(from, child), pathIn(to, child), found);
        linked.push(child);
      }
    }
    copyAttributes(pathIn(from, path), pathIn(to, path), stat);
  };
  const root = statOf(from);
  if (root !== undefined) walk("", root);
  // Only now: a further name changes the file's change time.
  for (const path of linked) {
    const stat = statOf(pathIn(to, path));
    if (stat !== undefined) copied.set(path, identityOf(stat));
  }
}

function identityOf(stat: BigIntStats): string {
  return `${stat.ino}:${stat.ctimeNs}`;
}

function flatId(layers: readonly SnapshotLayer[]): string {
  const ids = withoutRepeats(layers).map((layer) => layer.id);
  return `flat-${createHash("sha256").update(ids.join("\n")).digest("hex")}`;
}
