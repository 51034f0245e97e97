// Caches that travel: found before a build, looked into while it runs, written when it has succeeded.
import type { Attrs, ExportRequest, Session, StepCall } from "../../../api/index.ts";
import {
  AsyncStack,
  type Bytes,
  type Call,
  closest,
  type Digest,
  KilnError,
  runAll,
} from "../../../base/index.ts";
import { serializeInlineRecords } from "../../../formats/cacheconfig/index.ts";
import type { Descriptor } from "../../../formats/oci/index.ts";
import type { Snapshot, SnapshotLayer } from "../../../storage/snapshot/index.ts";
import type { CacheKeyId } from "../../solver/index.ts";
import { cacheMode } from "./attributes.ts";
import type { CacheBackend, OutgoingCache, OutgoingLayer } from "./backend.ts";
import type { CombinedStore } from "./combined-store.ts";
import { assembleConfig, keysBelow, type OutgoingResult } from "./outgoing.ts";

/** Packs a layer as the attributes (`compression`, ...) want it; what an image export packed is found again. */
export type PackCacheLayer = (
  layer: SnapshotLayer,
  options: { readonly attrs: Attrs; readonly epoch: number | undefined; readonly session: Session },
  call: StepCall,
) => Promise<{ readonly descriptor: Descriptor; readonly diffId: Digest }>;

export interface RemoteCacheParts {
  readonly store: CombinedStore<Snapshot | undefined>;
  readonly backends: readonly CacheBackend[];
  readonly pack: PackCacheLayer;
  /** Bytes of a layer that is here, or in a registry that is known to have it. */
  read(blob: Descriptor, session: Session, call: Call): Bytes;
  repositories(blob: Digest): readonly string[];
}

/** A cache with what was asked of it. */
export interface WantedCache {
  readonly backend: CacheBackend;
  readonly attrs: Attrs;
}

/** What a build leaves for those after it. */
export interface BuildOutcome {
  /** Of each platform: the names of its result. */
  readonly targets: readonly (readonly CacheKeyId[])[];
  /** Of each platform; undefined is the empty file system. Lent. */
  readonly snapshots: readonly (Snapshot | undefined)[];
  readonly epoch: number | undefined;
  readonly session: Session;
}

export interface RemoteCaches {
  /** Throws `UNSUPPORTED` for types that do not exist. */
  find(requests: readonly ExportRequest[]): readonly WantedCache[];
  /** Undefined for types that do not exist. */
  known(request: ExportRequest): WantedCache | undefined;
  /** Looks into what was found until disposed. */
  import(wanted: WantedCache, session: Session, call: Call): Promise<Disposable>;
  export(wanted: WantedCache, outcome: BuildOutcome, call: StepCall): Promise<Attrs>;
  /**
   * The records for an image's own configuration, given the packed layers of its snapshot, oldest first, and whether the
   * image has each of them. Undefined where nothing is worth telling.
   */
  inline(
    outcome: BuildOutcome,
    platform: number,
    layers: readonly { readonly id: string; readonly listed: boolean }[],
    call: Call,
  ): Promise<Uint8Array | undefined>;
}

export function createRemoteCaches(parts: RemoteCacheParts): RemoteCaches {
  const types = new Map(parts.backends.map((backend) => [backend.type, backend]));
  const known = ({ type, attrs }: ExportRequest): WantedCache | undefined => {
    const backend = types.get(type);
    return backend && { backend, attrs };
  };
  return {
    known,
    find: (requests) =>
      requests.map((request) => {
        const found = known(request);
        if (found) return found;
        const { type } = request;
        const near = closest(type, types.keys());
        throw new KilnError("UNSUPPORTED", `there is no cache type ${JSON.stringify(type)}`, {
          hint: near
            ? `Did you mean type=${near}?`
            : `Known types: ${[...types.keys()].join(", ")}.`,
        });
      }),
    async import({ backend, attrs }, session, call) {
      const found = await backend.import(attrs, session, call);
      const opened = found.map((cache) => parts.store.add(cache, backend.place(attrs)));
      return {
        [Symbol.dispose]() {
          for (const one of opened) one[Symbol.dispose]();
        },
      };
    },
    async export({ backend, attrs }, outcome, call) {
      const id = "preparing build cache for export";
      const progress = { type: "progress", step: call.step, id, current: 0 } as const;
      call.emit({ ...progress, at: new Date() });
      const cache = await collect(parts, attrs, outcome, call);
      call.emit({ ...progress, at: new Date(), done: true });
      return await backend.export(cache, attrs, outcome.session, call);
    },
    inline: (outcome, platform, layers, call) =>
      inlineRecords(parts, outcome, platform, layers, call),
  };
}

interface Held {
  readonly snapshot: Snapshot;
  readonly createdAt: Date;
}

async function collect(
  parts: RemoteCacheParts,
  attrs: Attrs,
  outcome: BuildOutcome,
  call: StepCall,
): Promise<OutgoingCache> {
  await using held = new AsyncStack();
  const keys = keysBelow(outcome.targets.flat(), parts.store.backlinks());
  const wanted = cacheMode(attrs) === "max" ? () => true : isPartOf(outcome.snapshots);
  const results = new Map<CacheKeyId, OutgoingResult>();
  const from = new Map<Digest, (blob: Descriptor, call: Call) => Bytes>();
  await runAll(
    [...keys.values()].filter(({ ways }) => ways.length > 0),
    async ({ name }, c) => {
      const own = await newest(parts, name, held, c);
      if (own) {
        const { snapshot, createdAt } = own;
        if (snapshot.layers.length === 0 || !wanted(snapshot)) return;
        const layers = await packAll(parts, snapshot, attrs, outcome, createdAt, { ...call, ...c });
        results.set(name, { layers, createdAt });
        return;
      }
      if (cacheMode(attrs) === "min") return;
      const [found] = parts.store.imported(name);
      if (!found) return;
      const { cache, record } = found;
      const layers = record.layers.flatMap((at) => {
        const layer = cache.layers.get(cache.config.layers[at]?.blob as Digest);
        return layer ? [{ ...layer, createdAt: record.createdAt }] : [];
      });
      if (layers.length === 0 || layers.length < record.layers.length) return;
      for (const { descriptor } of layers) from.set(descriptor.digest, cache.read);
      results.set(name, { layers, createdAt: record.createdAt });
    },
    call,
  );
  const { config, layers } = assembleConfig(keys, results);
  return {
    config,
    layers,
    read: (blob, c) => from.get(blob.digest)?.(blob, c) ?? parts.read(blob, outcome.session, c),
    repositories: (blob) => parts.repositories(blob),
  };
}

/** Results that a build's final results stand on. */
function isPartOf(finals: readonly (Snapshot | undefined)[]): (snapshot: Snapshot) => boolean {
  return ({ layers }) =>
    finals.some((final) => layers.every((layer, at) => final?.layers[at]?.id === layer.id));
}

/** The latest result of this machine under a name. */
async function newest(
  { store }: RemoteCacheParts,
  name: CacheKeyId,
  held: AsyncStack,
  call: Call,
): Promise<Held | undefined> {
  const imported = new Set<string>(store.imported(name).map(({ record }) => record.id));
  for (const record of await store.records(name, call)) {
    if (imported.has(record.id)) continue;
    const loaded = await store.load(record, call);
    if (!loaded?.result) continue;
    held.use(loaded.result);
    return { snapshot: loaded.result, createdAt: record.createdAt };
  }
  return undefined;
}

async function packAll(
  { pack }: RemoteCacheParts,
  snapshot: Snapshot,
  attrs: Attrs,
  { epoch, session }: BuildOutcome,
  createdAt: Date,
  call: StepCall,
): Promise<readonly OutgoingLayer[]> {
  return await runAll(
    snapshot.layers,
    async (layer, c) => {
      const packed = await pack(layer, { attrs, epoch, session }, { ...call, ...c });
      return { ...packed, createdAt };
    },
    call,
  );
}

async function inlineRecords(
  parts: RemoteCacheParts,
  { targets }: BuildOutcome,
  platform: number,
  layers: readonly { readonly id: string; readonly listed: boolean }[],
  call: Call,
): Promise<Uint8Array | undefined> {
  await using held = new AsyncStack();
  const keys = keysBelow(targets[platform] ?? [], parts.store.backlinks());
  const tops = new Map<CacheKeyId, { readonly top: number; readonly createdAt: Date }>();
  for (const { name, ways } of keys.values()) {
    if (ways.length === 0) continue;
    const own = await newest(parts, name, held, call);
    if (!own || own.snapshot.layers.length === 0) continue;
    const stack = own.snapshot.layers;
    if (!stack.every((layer, at) => layers[at]?.id === layer.id)) continue;
    const top = layers.slice(0, stack.length).filter(({ listed }) => listed).length - 1;
    if (top >= 0) tops.set(name, { top, createdAt: own.createdAt });
  }
  if (tops.size === 0) return undefined;
  const { config } = assembleConfig(keys, new Map());
  const order = [...keys.values()].sort(
    (a, b) => compare(a.digest, b.digest) || compare(a.name, b.name),
  );
  return serializeInlineRecords(
    config.records.map((record, at) => {
      const found = tops.get(order[at]?.name ?? "");
      if (!found) return record;
      const createdAt = found.createdAt.toISOString();
      return { ...record, results: [{ layers: { top: found.top }, createdAt }] };
    }),
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
