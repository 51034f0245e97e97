// Caches in stores that know keys and objects: the document under one key, each layer under its digest.
import type { Attrs } from "../../../api/index.ts";
import {
  type Bytes,
  type Call,
  type Digest,
  Limiter,
  runAll,
  verified,
} from "../../../base/index.ts";
import { parseCacheConfig, serializeCacheConfig } from "../../../formats/cacheconfig/index.ts";
import type { LayerBlob } from "../../../storage/snapshot/index.ts";
import { checkCacheAttributes, exportAttributes } from "./attributes.ts";
import { type CacheBackend, distinctLayers, type ImportedCache } from "./backend.ts";

/** One cache's objects. */
export interface CacheObjects {
  hasBlob(digest: Digest, call: Call): Promise<boolean>;
  /** Keeps a blob that was found, and is wanted still, from being cleared away. */
  keepBlob?(digest: Digest, size: number, call: Call): Promise<void>;
  readBlob(digest: Digest, call: Call): Bytes;
  writeBlob(digest: Digest, size: number, data: () => Bytes, call: Call): Promise<void>;
  /** The documents that are there, as text. */
  readConfigs(call: Call): Promise<readonly string[]>;
  writeConfig(data: Uint8Array, call: Call): Promise<void>;
}

export interface ObjectsBackend {
  readonly type: string;
  /** Names of attributes that say where. */
  readonly attributes: readonly string[];
  place(attrs: Attrs): string;
  /** Throws `FLAG_INVALID`. `writes` is whether anything is to be written. */
  open(attrs: Attrs, writes: boolean): CacheObjects;
  /** Layers on their way at once. */
  parallel(attrs: Attrs): number;
}

export function createObjectsBackend(backend: ObjectsBackend): CacheBackend {
  const { type } = backend;
  return {
    type,
    place: backend.place,
    async import(attrs, _session, call) {
      // Exports' own names are no mistake: many write one text for both.
      checkCacheAttributes(type, attrs, [...backend.attributes, ...exportAttributes]);
      const objects = backend.open(attrs, false);
      const texts = await objects.readConfigs(call);
      return texts.map((text) => toImported(text, objects, `the cache ${backend.place(attrs)}`));
    },
    async export(cache, attrs, _session, call) {
      checkCacheAttributes(type, attrs, [...backend.attributes, ...exportAttributes]);
      const objects = backend.open(attrs, true);
      const limiter = new Limiter(backend.parallel(attrs));
      await runAll(
        distinctLayers(cache),
        async ({ descriptor }, c) => {
          using _permit = await limiter.acquire(c);
          const { digest, size } = descriptor;
          if (await objects.hasBlob(digest, c)) {
            await objects.keepBlob?.(digest, size, c);
            return;
          }
          const progress = {
            type: "progress",
            step: call.step,
            id: `writing layer ${digest}`,
            current: 0,
          } as const;
          call.emit({ ...progress, at: new Date() });
          await objects.writeBlob(digest, size, () => cache.read(descriptor, c), c);
          call.emit({ ...progress, at: new Date(), current: size, done: true });
        },
        call,
      );
      await objects.writeConfig(serializeCacheConfig(cache.config), call);
      return {};
    },
  };
}

function toImported(text: string, objects: CacheObjects, what: string): ImportedCache {
  const config = parseCacheConfig(text, what);
  const layers = config.layers.flatMap(({ blob, annotations }): LayerBlob[] => {
    if (!annotations) return [];
    const { mediaType, size, diffId } = annotations;
    return [{ descriptor: { mediaType, digest: blob, size }, diffId }];
  });
  return {
    config,
    layers: new Map(layers.map((layer) => [layer.descriptor.digest, layer])),
    has: ({ digest }, call) => objects.hasBlob(digest, call),
    read: ({ digest, size }, call) =>
      verified(objects.readBlob(digest, call), digest, size, `layer ${digest} of ${what}`),
  };
}
