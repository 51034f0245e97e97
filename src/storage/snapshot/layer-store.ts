// Layers on disk: directories that appear whole or not at all, and the stacks that name several of them.
import { createHash, randomBytes } from "node:crypto";
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import {
  fromNodeError,
  isDead,
  isDigest,
  isRecord,
  KilnError,
  log,
  processTag,
} from "../../base/index.ts";
import { removeTree } from "./remove-tree.ts";
import type { LayerBlob, SnapshotLayer } from "./snapshot.ts";

const debug = log("snapshot");

/** What has to be known about a layer besides its files. */
export interface LayerInfo {
  /** Directories that the layer's archive did not list: their attributes are those of whatever lies below. */
  readonly implied?: readonly string[];
  /** The layer hides everything below it. */
  readonly opaqueRoot?: boolean;
  /** The layer has no whiteouts: its directory alone looks as the layer does. */
  readonly whole?: boolean;
}

/** How old leftovers of processes in other pid namespaces must be before they count as dead. */
const unknownOwnerAge = 24 * 3600 * 1000;
const formatVersion = 1;

/**
 * The store below `dir`, which several processes may share:
 * `layers/<id>/{fs,layer.json}` committed layers, `stacks/<id>.json` snapshots, `active/<tag>-<random>` what processes
 * are working on, `leases/<tag>` which layers live processes use.
 */
export class LayerStore {
  readonly dir: string;
  /** Whether overlayfs marks are kept in `user.` attributes. */
  readonly userXattr: boolean;
  readonly #infos = new Map<string, LayerInfo>();
  readonly #leased = new Set<string>();
  readonly #sweeping: Promise<void>;
  #lease: number | undefined;

  constructor(dir: string) {
    this.dir = dir;
    try {
      for (const name of ["layers", "stacks", "active", "leases"])
        mkdirSync(`${dir}/${name}`, { recursive: true, mode: 0o700 });
      this.userXattr = readFormat(dir);
    } catch (error) {
      throw fromNodeError(error, `opening the snapshots in ${dir}`);
    }
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
      info = parseInfo(this.#read(`layers/${id}/layer.json`), id);
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
    const staged = `${this.dir}/active/${processTag()}-${randomBytes(8).toString("hex")}`;
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
    writeFileSync(`${staged}/layer.json`, JSON.stringify({ version: formatVersion, ...info }));
    await removeTree(`${staged}/work`);
    try {
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
    const text = JSON.stringify({ version: formatVersion, layers });
    const id = createHash("sha256").update(text).digest("hex");
    const path = `${this.dir}/stacks/${id}.json`;
    if (existsSync(path)) return id;
    const temporary = `${this.dir}/active/${processTag()}-${randomBytes(8).toString("hex")}`;
    try {
      writeFileSync(temporary, text, { mode: 0o600 });
      renameSync(temporary, path);
    } catch (error) {
      throw fromNodeError(error, "saving a snapshot");
    }
    return id;
  }

  /** Undefined when there is no such stack, or one of its layers is gone (layers of images may be fetched again). */
  loadStack(id: string): readonly SnapshotLayer[] | undefined {
    if (!/^[0-9a-f]{64}$/.test(id)) return undefined;
    const layers = parseStack(this.#read(`stacks/${id}.json`));
    return layers?.every((layer) => layer.blob !== undefined || this.has(layer.id))
      ? layers
      : undefined;
  }

  /** Tells other processes that this one uses the layers, for as long as it lives. */
  lease(layers: readonly SnapshotLayer[]): void {
    const news = layers.filter((layer) => !this.#leased.has(layer.id));
    if (news.length === 0) return;
    this.#lease ??= openSync(
      `${this.dir}/leases/${processTag()}-${randomBytes(4).toString("hex")}`,
      "a",
      0o600,
    );
    writeSync(this.#lease, news.map((layer) => `${layer.id}\n`).join(""));
    for (const layer of news) this.#leased.add(layer.id);
  }

  /** Whether this process has ever used the layer: views made from it may be around still. */
  isLeasedHere(id: string): boolean {
    return this.#leased.has(id) && /^(patch|flat)-/.test(id);
  }

  /** Ids of the layers that other live processes use. */
  leasedElsewhere(): ReadonlySet<string> {
    const leased = new Set<string>();
    for (const name of readdirSync(`${this.dir}/leases`)) {
      if (name.startsWith(`${processTag()}-`)) continue;
      for (const id of (this.#read(`leases/${name}`) ?? "").split("\n")) leased.add(id);
    }
    return leased;
  }

  /** Moves a layer out of sight and deletes it; unless somebody has leased it in the same moment. */
  async remove(id: string): Promise<boolean> {
    const trash = `${this.dir}/active/${processTag()}-${randomBytes(8).toString("hex")}`;
    renameSync(`${this.dir}/layers/${id}`, trash);
    this.#infos.delete(id);
    if (this.leasedElsewhere().has(id)) {
      renameSync(trash, `${this.dir}/layers/${id}`);
      return false;
    }
    await this.discard(trash);
    return true;
  }

  layerIds(): readonly string[] {
    return readdirSync(`${this.dir}/layers`);
  }

  stackIds(): readonly string[] {
    return readdirSync(`${this.dir}/stacks`).map((name) => name.replace(/\.json$/, ""));
  }

  removeStack(id: string): void {
    rmSync(`${this.dir}/stacks/${id}.json`, { force: true });
  }

  async close(): Promise<void> {
    await this.#sweeping;
    if (this.#lease !== undefined) closeSync(this.#lease);
    this.#lease = undefined;
  }

  /** Deletes what dead processes left. Runs beside everything else, since trees can be large. */
  async #sweep(): Promise<void> {
    for (const folder of ["active", "leases"]) {
      for (const name of readdirSync(`${this.dir}/${folder}`)) {
        const path = `${this.dir}/${folder}/${name}`;
        if (!isLeftover(path, name)) continue;
        debug.debug("sweeping", { path });
        await removeTree(path).catch((error: unknown) => {
          debug.debug("could not sweep", { path, error: String(error) });
        });
      }
    }
  }

  #read(path: string): string | undefined {
    try {
      return readFileSync(`${this.dir}/${path}`, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw fromNodeError(error, `reading ${path} of the snapshots in ${this.dir}`);
    }
  }
}

function isLeftover(path: string, name: string): boolean {
  const dead = isDead(name.split("-")[0] ?? "");
  if (dead !== "unknown") return dead;
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat !== undefined && Date.now() - stat.mtimeMs > unknownOwnerAge;
}

/** The first process to open a store decides how its layers are marked; later ones must be able to go on with that. */
function readFormat(dir: string): boolean {
  const path = `${dir}/format.json`;
  if (!existsSync(path)) {
    const temporary = `${dir}/active/${processTag()}-${randomBytes(8).toString("hex")}`;
    writeFileSync(
      temporary,
      JSON.stringify({ version: formatVersion, userXattr: inUserNamespace() }),
    );
    renameSync(temporary, path);
  }
  const format = parseJsonOrUndefined(readFileSync(path, "utf8"));
  if (!isRecord(format) || format["version"] !== formatVersion) {
    throw new KilnError("STORE_CORRUPT", `${path} is not of a version that this Kiln understands`, {
      hint: "Remove Kiln's root directory, or use another one with --root.",
    });
  }
  return format["userXattr"] === true;
}

/** `trusted.` attributes need rights in the initial user namespace, which maps all ids to themselves. */
function inUserNamespace(): boolean {
  if (process.geteuid?.() !== 0) return true;
  try {
    return !/^\s*0\s+0\s+4294967295\s*$/.test(readFileSync("/proc/self/uid_map", "latin1"));
  } catch {
    return false;
  }
}

function parseInfo(text: string | undefined, id: string): LayerInfo {
  const value = text === undefined ? undefined : parseJsonOrUndefined(text);
  if (!isRecord(value) || value["version"] !== formatVersion) {
    throw new KilnError("STORE_CORRUPT", `layer ${id} of the snapshots is damaged`, {
      hint: "Run `kiln prune --all`, and build again.",
    });
  }
  const implied = value["implied"];
  return {
    ...(Array.isArray(implied)
      ? { implied: implied.filter((path) => typeof path === "string") }
      : {}),
    ...(value["opaqueRoot"] === true ? { opaqueRoot: true } : {}),
    ...(value["whole"] === true ? { whole: true } : {}),
  };
}

function parseStack(text: string | undefined): readonly SnapshotLayer[] | undefined {
  const value = text === undefined ? undefined : parseJsonOrUndefined(text);
  if (!isRecord(value) || value["version"] !== formatVersion || !Array.isArray(value["layers"]))
    return undefined;
  return value["layers"].every(isLayer) ? value["layers"] : undefined;
}

function isLayer(value: unknown): value is SnapshotLayer {
  if (
    !isRecord(value) ||
    typeof value["id"] !== "string" ||
    !/^[a-z0-9-]{1,100}$/.test(value["id"])
  )
    return false;
  return value["blob"] === undefined || isBlob(value["blob"]);
}

function isBlob(value: unknown): value is LayerBlob {
  if (!isRecord(value) || typeof value["diffId"] !== "string" || !isDigest(value["diffId"]))
    return false;
  const descriptor = value["descriptor"];
  return (
    isRecord(descriptor) &&
    typeof descriptor["digest"] === "string" &&
    isDigest(descriptor["digest"])
  );
}

function parseJsonOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
