// Everything below the root as items, each byte on disk counted once.
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Call, digestHex, throwIfAborted } from "../../base/index.ts";
import type { StoredBlob } from "../../storage/content/index.ts";
import type { StoredSnapshots } from "../../storage/snapshot/index.ts";
import { openCacheContents, type RememberedResult } from "../cache/index.ts";
import { listMadeLayers } from "../exporter/index.ts";
import { buildItems } from "./builds.ts";
import { blobsOfImages } from "./images.ts";
import type { Item } from "./item.ts";
import { layerSize } from "./layer-size.ts";
import { originsItem, stepsItem } from "./notes.ts";
import type { UsageParts } from "./parts.ts";
import { TreeSizer } from "./tree-size.ts";

export interface Inventory {
  readonly items: readonly Item[];
  readonly snapshots: StoredSnapshots;
}

/** Bytes of everything, in blocks on disk. */
export function totalSize(items: readonly Item[]): number {
  return items.reduce((sum, { record }) => sum + record.size, 0);
}

/** Looks at the whole store. Others may change it meanwhile: what has vanished counts nothing. */
export async function takeInventory(parts: UsageParts, call: Call): Promise<Inventory> {
  const sizer = new TreeSizer();
  const counted = new Set<string>();
  const measure = async (path: string) => {
    throwIfAborted(call);
    counted.add(path);
    return sizer.size(path);
  };
  const blobs: StoredBlob[] = [];
  for await (const blob of parts.content.list()) blobs.push(blob);
  const snapshots = parts.snapshotter.contents();
  const made = listMadeLayers(parts.madeLayers);
  const holders = holdersOfBlobs(snapshots, made);
  const imageBlobs = blobsOfImages(parts.images.list(), blobs);
  for (const [image, digests] of imageBlobs) {
    for (const digest of digests) add(holders, digest, image);
  }
  const items = [
    ...(await layerItems(parts, snapshots, { sizer, counted, imageBlobs }, call)),
    ...(await blobItems(parts, blobs, holders, made, measure)),
    ...(await imageItems(parts, measure)),
    ...(await keptItems(parts, measure)),
    ...(await buildItems(parts, measure)),
    ...(await noteItems(parts, { blobs, holders }, measure)),
  ];
  const rest = await sizer.size(parts.root, (path) => counted.has(path));
  // What is remembered of steps lies in the database with everything else.
  const inside = items.find(({ what }) => what.kind === "steps")?.record.size ?? 0;
  return { items: [...items, restItem(parts, Math.max(0, rest - inside))], snapshots };
}

async function noteItems(
  parts: UsageParts,
  { blobs, holders }: { blobs: readonly StoredBlob[]; holders: ReadonlyMap<string, unknown> },
  measure: Measure,
): Promise<readonly Item[]> {
  const here = new Set(blobs.map(({ digest }) => digestHex(digest)));
  const isNeeded = (hex: string) => here.has(hex) || holders.has(`sha256:${hex}`);
  const origins = await originsItem(parts, isNeeded, measure);
  return [stepsItem(parts), origins].filter((item) => item !== undefined);
}

type Measure = (path: string) => Promise<number>;

function add<T>(map: Map<string, Set<T>>, key: string, value: T): void {
  const values = map.get(key) ?? new Set<T>();
  values.add(value);
  map.set(key, values);
}

/** By blob, the layers that it was unpacked to or packed from. */
function holdersOfBlobs(
  { stacks }: StoredSnapshots,
  made: ReturnType<typeof listMadeLayers>,
): Map<string, Set<string>> {
  const holders = new Map<string, Set<string>>();
  for (const layer of stacks.flatMap((stack) => stack.layers)) {
    if (layer.blob) add(holders, layer.blob.descriptor.digest, layer.id);
  }
  for (const { layer, blob } of made) add(holders, blob, layerIdOf(layer));
  return holders;
}

/** Layers of images are named by their diff ID. */
function layerIdOf(layer: string): string {
  return layer.startsWith("sha256:") ? `image-${layer.slice("sha256:".length)}` : layer;
}

interface LayerFacts {
  above: Set<string>;
  below: Set<string>;
  usedAt: number;
  uses: number;
  name: RememberedResult | undefined;
  /** Digest of the blob that it is known by. */
  blob: string | undefined;
}

async function layerItems(
  parts: UsageParts,
  snapshots: StoredSnapshots,
  {
    sizer,
    counted,
    imageBlobs,
  }: {
    readonly sizer: TreeSizer;
    readonly counted: Set<string>;
    readonly imageBlobs: ReadonlyMap<string, ReadonlySet<string>>;
  },
  call: Call,
): Promise<readonly Item[]> {
  const facts = layerFacts(snapshots, openCacheContents(parts.metadata).list());
  const stored = new Map(snapshots.layers.map((layer) => [layer.id, layer]));
  const hasFlat = snapshots.layers.some(({ id }) => id.startsWith("flat-"));
  const items: Item[] = [];
  const held = new Set([...imageBlobs.values()].flatMap((digests) => [...digests]));
  // Flat trees last: they share the files of layers.
  const ids = [...new Set([...stored.keys(), ...facts.keys()])].sort(
    (a, b) => Number(a.startsWith("flat-")) - Number(b.startsWith("flat-")),
  );
  for (const id of ids) {
    throwIfAborted(call);
    const layer = stored.get(id);
    const fact = facts.get(id);
    const path = layer?.path;
    if (path !== undefined) counted.add(path);
    const size = path === undefined ? 0 : await layerSize(path, sizer, !hasFlat);
    const stat = path === undefined ? undefined : statSync(path, { throwIfNoEntry: false });
    const createdAt = stat?.birthtime ?? fact?.name?.createdAt ?? new Date(fact?.usedAt ?? 0);
    items.push({
      what: { kind: "layer", layer: id, notes: [] },
      neededBy: [...(fact?.above ?? [])],
      derived: false,
      record: {
        id,
        type: "regular",
        description: fact?.name?.name ?? describeLayer(id),
        size,
        inUse: layer?.inUse === true,
        mutable: false,
        shared: fact?.blob !== undefined && held.has(fact.blob),
        createdAt,
        lastUsedAt: new Date(fact?.usedAt ?? stat?.mtimeMs ?? createdAt.getTime()),
        usageCount: fact?.uses ?? 1,
        parents: [...(fact?.below ?? [])],
      },
    });
  }
  return items;
}

function describeLayer(id: string): string {
  if (id.startsWith("image-")) return "layer of an image";
  return id.startsWith("layer-") ? "layer without a record" : "view of layers";
}

/** What the stacks tell about the layers in them. */
function layerFacts(
  { stacks }: StoredSnapshots,
  results: readonly RememberedResult[],
): ReadonlyMap<string, LayerFacts> {
  const facts = new Map<string, LayerFacts>();
  const names = new Map(results.map((result) => [result.id, result]));
  for (const { id, layers, usedAt, uses } of stacks) {
    for (const [at, layer] of layers.entries()) {
      const fact = facts.get(layer.id) ?? {
        above: new Set(),
        below: new Set(),
        usedAt: 0,
        uses: 0,
        name: undefined,
        blob: layer.blob?.descriptor.digest,
      };
      facts.set(layer.id, fact);
      fact.usedAt = Math.max(fact.usedAt, usedAt.getTime());
      const [above, below] = [layers[at + 1], layers[at - 1]];
      if (above && above.id !== layer.id) fact.above.add(above.id);
      if (below && below.id !== layer.id) fact.below.add(below.id);
      if (above) continue;
      fact.uses = Math.max(fact.uses, uses);
      fact.name = names.get(id) ?? fact.name;
    }
  }
  return facts;
}

async function blobItems(
  parts: UsageParts,
  blobs: readonly StoredBlob[],
  holders: ReadonlyMap<string, ReadonlySet<string>>,
  made: ReturnType<typeof listMadeLayers>,
  measure: Measure,
): Promise<readonly Item[]> {
  const notes = new Map<string, Set<string>>();
  for (const { blob, path } of made) add(notes, blob, path);
  const items: Item[] = [];
  for (const blob of blobs) {
    const hex = digestHex(blob.digest);
    const origin = join(parts.origins, hex.slice(0, 2), hex);
    const own = [...(notes.get(blob.digest) ?? []), ...(existsSync(origin) ? [origin] : [])];
    let size = await measure(blob.path);
    for (const note of own) size += await measure(note);
    const needers = [...(holders.get(blob.digest) ?? [])];
    items.push({
      what: { kind: "blob", blob: blob.digest, notes: own },
      neededBy: needers,
      derived: needers.length > 0,
      record: {
        id: blob.digest,
        type: needers.length > 0 ? "internal" : "regular",
        description: needers.length > 0 ? "blob of a layer or image" : "blob that nothing needs",
        size,
        inUse: blob.inUse,
        mutable: false,
        shared: needers.some((id) => id.includes("/")),
        createdAt: blob.createdAt,
        lastUsedAt: blob.usedAt,
        usageCount: 1,
        parents: [],
      },
    });
  }
  return items;
}

async function imageItems(parts: UsageParts, measure: Measure): Promise<readonly Item[]> {
  const items: Item[] = [];
  for (const { name, createdAt } of parts.images.list()) {
    items.push({
      what: { kind: "image", name },
      neededBy: [],
      derived: false,
      record: {
        id: name,
        type: "internal",
        description: `image ${name}`,
        size: await measure(parts.images.file(name)),
        inUse: false,
        mutable: true,
        shared: true,
        createdAt,
        usageCount: 1,
        parents: [],
      },
    });
  }
  return items;
}

async function keptItems(parts: UsageParts, measure: Measure): Promise<readonly Item[]> {
  const items: Item[] = [];
  for (const [shelf, { things, type }] of parts.kept.entries()) {
    for (const thing of things.list()) {
      let size = 0;
      for (const path of thing.paths) size += await measure(path);
      items.push({
        what: { kind: "kept", shelf, name: thing.name },
        neededBy: [],
        derived: false,
        record: {
          id: thing.name,
          type,
          description: thing.description,
          size,
          inUse: thing.inUse,
          mutable: true,
          shared: false,
          createdAt: thing.createdAt,
          lastUsedAt: thing.usedAt,
          usageCount: thing.uses,
          parents: [],
        },
      });
    }
  }
  return items;
}

function restItem({ now }: UsageParts, size: number): Item {
  return {
    what: { kind: "rest" },
    neededBy: [],
    derived: false,
    record: {
      id: "store",
      overhead: true,
      type: "internal",
      description: "indexes and directories of the store",
      size,
      inUse: true,
      mutable: true,
      shared: false,
      createdAt: now(),
      usageCount: 1,
      parents: [],
    },
  };
}
