// The machine's own cache with caches from elsewhere beside it: looked up together, written to the machine's alone.
import { actor, type Call, type Digest } from "../../../base/index.ts";
import type { ContentStore } from "../../../storage/content/index.ts";
import type { BlobOrigins } from "../../../storage/image/index.ts";
import type { LazyLayer } from "../../../storage/snapshot/index.ts";
import type {
  CacheEntry,
  CacheKeyId,
  CacheLink,
  CacheRecord,
  CacheStore,
  LoadedResult,
} from "../../solver/index.ts";
import type { Backlink, Backlinks } from "../local-cache-store.ts";
import type { ImportedCache } from "./backend.ts";
import {
  type ImportedKey,
  type ImportedKeys,
  type ImportedRecord,
  readImportedKeys,
} from "./imported-store.ts";
import type { OtherKeys } from "./other-keys.ts";

export interface CombinedStoreParts<Result> {
  readonly local: CacheStore<Result> & { backlinks(): Backlinks };
  readonly content: ContentStore;
  readonly origins: BlobOrigins;
  readonly otherKeys: OtherKeys;
  /** A result made of layers that may stay where they are. The caller owns it. */
  open(layers: readonly LazyLayer[], call: Call): Promise<Result>;
  release(result: Result): Promise<void>;
  /** Caches are looked into by the build alone that brought them: builds are different people's. */
  readonly apart?: boolean;
}

/** A result of an imported cache that was not loaded here. */
export interface ImportedResult {
  readonly cache: ImportedCache;
  readonly record: ImportedRecord;
}

export interface CombinedStore<Result> extends CacheStore<Result> {
  /** Looks into `cache` too, until disposed. Throws `CACHE_INVALID`. `place` is for people. */
  add(cache: ImportedCache, place: string): Disposable;
  backlinks(): Backlinks;
  imported(key: CacheKeyId): readonly ImportedResult[];
}

interface Source {
  readonly cache: ImportedCache;
  readonly keys: ImportedKeys;
  readonly place: string;
  /** Whose build brought it; undefined is anybody's. */
  readonly owner: object | undefined;
}

/**
 * What is found in an imported cache and used is remembered in the local one, with all that led to it: the next build needs
 * the import no more. A result whose layers have gone is no result.
 */
export function createCombinedStore<Result>(
  parts: CombinedStoreParts<Result>,
): CombinedStore<Result> {
  const { local } = parts;
  const sources = new Map<string, Source>();
  const followed = new Map<CacheKeyId, { readonly from: CacheKeyId; readonly link: CacheLink }[]>();
  let count = 0;
  const visible = () => {
    const now = actor();
    return [...sources.values()].filter(({ owner }) => owner === undefined || owner === now);
  };
  const find = (record: CacheRecord) => sources.get(record.id.slice(0, record.id.indexOf("/") + 1));
  return {
    id: local.id,
    add(cache, place) {
      const prefix = `import${++count}/`;
      const owner = parts.apart ? actor() : undefined;
      sources.set(prefix, { cache, place, owner, keys: readImportedKeys(cache.config, prefix) });
      return { [Symbol.dispose]: () => void sources.delete(prefix) };
    },
    async query(from, link, call) {
      const found = new Set(await local.query(from, link, call));
      for (const { keys } of visible()) {
        const names = [from, ...parts.otherKeys.of(from)];
        for (const key of names.flatMap((name) => keys.follow(name, link))) {
          followed.set(key, [...(followed.get(key) ?? []), { from, link }]);
          found.add(key);
        }
      }
      return [...found];
    },
    async records(key, call) {
      const own = await local.records(key, call);
      return [...own, ...importedRecords(visible(), key).map(({ record }) => record)];
    },
    async load(record, call) {
      const source = find(record);
      if (!source) return local.load(record, call);
      return loadImported(parts, source, record as ImportedRecord, followed, call);
    },
    link: (entry, call) => local.link(entry, call),
    save: (entry, step, result, call) => local.save(entry, step, result, call),
    imported: (key) => importedRecords(visible(), key),
    backlinks() {
      const all = new Map<CacheKeyId, Backlink[]>();
      for (const [key, ways] of local.backlinks()) all.set(key, [...ways]);
      for (const { keys } of visible()) {
        for (const { name, ways, digest } of keys.keys.values()) {
          const known = all.get(name) ?? [];
          known.push(...ways.map((way) => ({ ...way, digest })));
          if (known.length > 0) all.set(name, known);
        }
      }
      // BuildKit looks for what it has itself under one name under that one alone.
      for (const [key, ways] of all) {
        const others = ways.flatMap((way) =>
          parts.otherKeys.of(way.from).map((from) => ({ ...way, from })),
        );
        if (others.length > 0) all.set(key, [...ways, ...others]);
      }
      return all;
    },
  };
}

function importedRecords(sources: readonly Source[], key: CacheKeyId): readonly ImportedResult[] {
  return sources.flatMap(({ cache, keys }) =>
    (keys.keys.get(key)?.records ?? []).map((record) => ({ cache, record })),
  );
}

async function loadImported<Result>(
  parts: CombinedStoreParts<Result>,
  { cache, keys, place }: Source,
  record: ImportedRecord,
  followed: ReadonlyMap<CacheKeyId, CacheEntry["links"]>,
  call: Call,
): Promise<LoadedResult<Result> | undefined> {
  const layers = await lazyLayers(parts, cache, record, call);
  if (!layers) return undefined;
  const result = await parts.open(layers, call);
  const key = keys.owners.get(record.id);
  if (key !== undefined)
    await remember(parts, { keys, place, key, layers, record }, followed, call);
  return { result };
}

interface Found {
  readonly keys: ImportedKeys;
  readonly place: string;
  readonly key: CacheKeyId;
  readonly record: ImportedRecord;
  readonly layers: readonly LazyLayer[];
}

/** Writes down what was found, and what it stands on: results whose layers are the lowest of this one's. */
async function remember<Result>(
  parts: CombinedStoreParts<Result>,
  { keys, place, key, record, layers }: Found,
  followed: ReadonlyMap<CacheKeyId, CacheEntry["links"]>,
  call: Call,
): Promise<void> {
  const step = { name: `cached in ${place}`, vertex: noDigest, step: noDigest, output: 0 };
  const linked = new Set([key]);
  for (const one of linked) {
    const known = followed.get(one) ?? [];
    for (const { from } of known) linked.add(from);
    const imported = keys.keys.get(one);
    const lower = imported?.records.find((other) => isLowerPart(other.layers, record.layers));
    const entry = {
      key: one,
      links: allLinks(imported, known),
      at: lower?.createdAt ?? record.createdAt,
    };
    if (lower && lower.layers.length > 0) {
      const result = await parts.open(layers.slice(0, lower.layers.length), call);
      await parts.local.save(entry, step, result, call);
      await parts.release(result);
    } else if (entry.links.length > 0) await parts.local.link(entry, call);
  }
}

function isLowerPart(part: readonly number[], whole: readonly number[]): boolean {
  return part.every((layer, at) => whole[at] === layer);
}

/** All ways that lead to a key, once one of them was followed and so told which step it is. */
function allLinks(
  imported: ImportedKey | undefined,
  known: CacheEntry["links"],
): CacheEntry["links"] {
  const [first] = known;
  if (!first || !imported) return known;
  const { step, output } = first.link;
  return imported.ways.map(({ from, input, selector }) => ({
    from,
    link: { step, output, input, ...(selector === "" ? {} : { selector: selector as Digest }) },
  }));
}

const noDigest = `sha256:${"0".repeat(64)}` as Digest;

/** Undefined where a layer is not known or has gone. What no registry has is fetched at once: nobody could do it later. */
async function lazyLayers<Result>(
  { content, origins }: CombinedStoreParts<Result>,
  cache: ImportedCache,
  record: ImportedRecord,
  call: Call,
): Promise<readonly LazyLayer[] | undefined> {
  const found = record.layers.map((at) =>
    cache.layers.get(cache.config.layers[at]?.blob as Digest),
  );
  const layers = found.filter((layer) => layer !== undefined);
  if (layers.length < found.length) return undefined;
  const present = await Promise.all(
    layers.map(async ({ descriptor }) => {
      if (await content.has(descriptor.digest, call)) return true;
      if (!(await cache.has(descriptor, call))) return false;
      if (cache.repository === undefined)
        await content.write(descriptor, () => cache.read(descriptor, call), call);
      else origins.add(descriptor.digest, cache.repository);
      return true;
    }),
  );
  if (present.includes(false)) return undefined;
  return layers.map(({ descriptor, diffId }) => ({
    descriptor,
    diffId,
    async *fetch(reading: Call) {
      if (await content.has(descriptor.digest, reading)) yield* content.read(descriptor, reading);
      else yield* cache.read(descriptor, reading);
    },
  }));
}
