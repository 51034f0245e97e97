// Layers on disk: directories that appear whole or not at all, and the stacks that name several of them.
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { fromNodeError, isDead, LeaseTable, log, processTag } from "../../base/index.ts";
import { formatVersion, type LayerInfo, parseInfo } from "./layer-documents.ts";
import { removeTree } from "./remove-tree.ts";
import type { SnapshotLayer } from "./snapshot.ts";
import { readIfThere, StackFiles } from "./stack-files.ts";
import { openFormat } from "./store-format.ts";
import { UnflushedLayers } from "./unflushed.ts";

const debug = log("snapshot");

/** How old leftovers of processes in other pid namespaces must be before they count as dead. */
const unknownOwnerAge = 24 * 3600 * 1000;

/**
 * The store below `dir`, which several processes may share:
 * `layers/<id>/{fs,layer.json}` committed layers, `stacks/<id>.json` snapshots, `active/<tag>-<random>` what processes
 * are working on, `leases/<tag>` which layers live processes use, `unflushed/` which ones the disk may not have yet.
 */
export class LayerStore {
  readonly dir: string;
  /** Whether overlayfs marks are kept in `user.` attributes. */
  readonly userXattr: boolean;
  readonly stacks: StackFiles;
  readonly #infos = new Map<string, LayerInfo>();
  readonly #leases: LeaseTable;
  readonly #unflushed: UnflushedLayers;
  readonly #sweeping: Promise<void>;

  constructor(dir: string) {
    this.dir = dir;
    this.stacks = new StackFiles(`${dir}/stacks`, () => this.#temporary());
    try {
      for (const name of ["layers", "stacks", "active", "leases"])
        mkdirSync(`${dir}/${name}`, { recursive: true, mode: 0o700 });
      this.userXattr = openFormat(dir);
      this.#unflushed = new UnflushedLayers(`${dir}/unflushed`);
      this.#unflushed.dropLost((id) => void renamed(`${dir}/layers/${id}`, this.#temporary()));
    } catch (error) {
      throw fromNodeError(error, `opening the snapshots in ${dir}`);
    }
    this.#leases = new LeaseTable(`${dir}/leases`);
    this.#sweeping = this.#sweep();
  }

  /** The files of a layer. */
  files(id: string): string {
    return `${this.dir}/layers/${id}/fs`;
  }

  has(id: string): boolean {
    return existsSync(this.files(id));
  }

  /** Of a layer that is there. */
  info(id: string): LayerInfo {
    let info = this.#infos.get(id);
    if (info === undefined) {
      info = parseInfo(readIfThere(`${this.dir}/layers/${id}/layer.json`), id);
      this.#infos.set(id, info);
    }
    return info;
  }

  /** An empty directory, for stacks without layers. */
  empty(): string {
    const directory = `${this.dir}/empty`;
    mkdirSync(directory, { recursive: true, mode: 0o755 });
    return directory;
  }

  /** A directory of this process's own, with an empty `fs` in it, to be published or discarded. */
  stage(): string {
    const staged = this.#temporary();
    try {
      mkdirSync(`${staged}/fs`, { recursive: true, mode: 0o700 });
      // Whoever sees the layer mounted must be able to walk it, whatever the umask is.
      chmodSync(`${staged}/fs`, 0o755);
    } catch (error) {
      throw fromNodeError(error, "starting a snapshot");
    }
    return staged;
  }

  /** Makes a staged directory a layer, in one step. When the layer is there already the staged one is thrown away. */
  async publish(staged: string, id: string, info: LayerInfo): Promise<void> {
    try {
      writeFileSync(`${staged}/layer.json`, JSON.stringify({ version: formatVersion, ...info }));
      await removeTree(`${staged}/work`);
      this.#unflushed.note(id);
      renameSync(staged, `${this.dir}/layers/${id}`);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "ENOTEMPTY" && code !== "EEXIST")
        throw fromNodeError(error, `committing layer ${id}`);
      await this.discard(staged);
    }
  }

  async discard(staged: string): Promise<void> {
    await removeTree(staged);
  }

  /** Writes down a stack, so that it can be opened by its id; the same layers always give the same id. */
  saveStack(layers: readonly SnapshotLayer[]): string {
    try {
      return this.stacks.save(layers, (id) => this.#leases.hold([id]));
    } catch (error) {
      throw fromNodeError(error, "saving a snapshot");
    }
  }

  /** The directory of a layer, with all that belongs to it. */
  place(id: string): string {
    return `${this.dir}/layers/${id}`;
  }

  /** Undefined when there is no such stack, or one of its layers is gone (layers of images may be fetched again). */
  loadStack(id: string): readonly SnapshotLayer[] | undefined {
    const layers = this.stacks.read(id);
    return layers?.every((layer) => layer.blob !== undefined || this.has(layer.id))
      ? layers
      : undefined;
  }

  /** Tells other processes that this one uses the layers, for as long as it lives: what is there then stays. */
  lease(layers: readonly SnapshotLayer[]): void {
    try {
      this.#leases.hold(layers.map((layer) => layer.id));
    } catch (error) {
      throw fromNodeError(error, `using the snapshots in ${this.dir}`);
    }
  }

  /** Whether this process has ever used the layer: views made from it may be around still. */
  isLeasedHere(id: string): boolean {
    return this.#leases.isHeldHere(id) && id.startsWith("patch-");
  }

  /** Ids of the layers and stacks that others use. */
  leasedElsewhere(): ReadonlySet<string> {
    return this.#leases.heldElsewhere();
  }

  /** Deletes stacks and layers, unless somebody else uses them. Answers with the ids of what is gone. */
  async remove(ids: {
    readonly stacks: readonly string[];
    readonly layers: readonly string[];
  }): Promise<readonly string[]> {
    const stacks = this.#leases.collect(ids.stacks, (id) => this.stacks.remove(id));
    const trash: string[] = [];
    const layers = this.#leases.collect(ids.layers, (id) => {
      const away = this.#temporary();
      if (renamed(`${this.dir}/layers/${id}`, away)) trash.push(away);
      this.#infos.delete(id);
    });
    for (const away of trash) await this.discard(away);
    return [...stacks, ...layers];
  }

  layerIds(): readonly string[] {
    return readdirSync(`${this.dir}/layers`);
  }

  #temporary(): string {
    return `${this.dir}/active/${processTag()}-${randomBytes(8).toString("hex")}`;
  }

  async close(): Promise<void> {
    await this.#sweeping;
    this.#leases.release();
    this.#unflushed.close();
  }

  /** Deletes what dead processes left. Runs beside everything else, since trees can be large. */
  async #sweep(): Promise<void> {
    this.#leases.sweep();
    for (const name of readdirSync(`${this.dir}/active`)) {
      const path = `${this.dir}/active/${name}`;
      if (!isLeftover(path, name)) continue;
      debug.debug("sweeping", { path });
      await removeTree(path).catch((error: unknown) => {
        debug.debug("could not sweep", { path, error: String(error) });
      });
    }
  }
}

/** False when there was nothing. */
function renamed(from: string, to: string): boolean {
  try {
    renameSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}

function isLeftover(path: string, name: string): boolean {
  const dead = isDead(name.split("-")[0] ?? "");
  if (dead !== "unknown") return dead;
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat !== undefined && Date.now() - stat.mtimeMs > unknownOwnerAge;
}
