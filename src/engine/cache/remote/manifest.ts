// Caches as OCI manifests: read from a repository, whatever form they have there, and written to one.
import type { StepCall } from "../../../api/index.ts";
import {
  type Bytes,
  bytesOf,
  type Call,
  type Digest,
  digestOf,
  isDigest,
  KilnError,
  readAll,
  runAll,
} from "../../../base/index.ts";
import {
  cacheConfigMediaType,
  maxCacheConfigSize,
  parseCacheConfig,
  parseInlineRecords,
  serializeCacheConfig,
} from "../../../formats/cacheconfig/index.ts";
import {
  type Descriptor,
  inFamily,
  type Manifest,
  type MediaTypeFamily,
  maxConfigSize,
  mediaTypes,
  parseImageConfig,
  parseManifestDocument,
  serializeIndex,
  serializeManifest,
} from "../../../formats/oci/index.ts";
import type { LayerBlob } from "../../../storage/snapshot/index.ts";
import {
  distinctLayers,
  type ImportedCache,
  type OutgoingCache,
  type OutgoingLayer,
} from "./backend.ts";

/** Where a manifest's blobs are. */
export interface CacheRepository {
  /** For messages. */
  readonly name: string;
  /** Normalised, where it is a registry's. */
  readonly repository?: string;
  has(digest: Digest, call: Call): Promise<boolean>;
  read(blob: Descriptor, call: Call): Bytes;
  readManifest(descriptor: Descriptor, call: Call): Promise<Uint8Array>;
}

const uncompressed = "containerd.io/uncompressed";
const createdAt = "buildkit/createdat";

/** The caches behind a manifest: one that is a cache, or those inside of images, one for each platform. */
export async function readCacheManifest(
  from: CacheRepository,
  root: Descriptor,
  call: Call,
): Promise<readonly ImportedCache[]> {
  const document = parseManifestDocument(await from.readManifest(root, call), root.mediaType);
  if (document.kind === "manifest") {
    const { config, layers } = document.manifest;
    if (config.mediaType === cacheConfigMediaType)
      return [await readCache(from, config, layers, call)];
    return await readInline(from, document.manifest, call);
  }
  const { manifests } = document.index;
  const config = manifests.find(({ mediaType }) => mediaType === cacheConfigMediaType);
  if (config) return [await readCache(from, config, manifests, call)];
  const images = manifests.filter(({ platform }) => platform?.os !== "unknown");
  const found = await runAll(images, (image, c) => readCacheManifest(from, image, c), call);
  return found.flat();
}

async function readCache(
  from: CacheRepository,
  config: Descriptor,
  layers: readonly Descriptor[],
  call: Call,
): Promise<ImportedCache> {
  const what = `cache configuration ${config.digest} of ${from.name}`;
  if (config.size > maxCacheConfigSize)
    throw new KilnError("CACHE_INVALID", `${what}: larger than ${maxCacheConfigSize} bytes`);
  const data = await readAll(from.read(config, call), maxCacheConfigSize, what);
  const known = layers.flatMap((descriptor): LayerBlob[] => {
    const diffId = descriptor.annotations?.[uncompressed];
    return diffId !== undefined && isDigest(diffId)
      ? [{ descriptor: bare(descriptor), diffId }]
      : [];
  });
  return imported(from, parseCacheConfig(new TextDecoder().decode(data), what), known);
}

function bare({ mediaType, digest, size }: Descriptor): Descriptor {
  return { mediaType, digest, size };
}

function imported(
  from: CacheRepository,
  config: ImportedCache["config"],
  layers: readonly LayerBlob[],
): ImportedCache {
  return {
    config,
    layers: new Map(layers.map((layer) => [layer.descriptor.digest, layer])),
    has: ({ digest }, call) => from.has(digest, call),
    read: (blob, call) => from.read(blob, call),
    ...(from.repository === undefined ? {} : { repository: from.repository }),
  };
}

/** What an image's own configuration says of the steps that made its layers. */
async function readInline(
  from: CacheRepository,
  { config, layers }: Manifest,
  call: Call,
): Promise<readonly ImportedCache[]> {
  if (config.size > maxConfigSize || layers.length === 0) return [];
  const what = `image configuration ${config.digest} of ${from.name}`;
  const data = await readAll(from.read(config, call), maxConfigSize, what);
  const cache: unknown = JSON.parse(new TextDecoder().decode(data))["moby.buildkit.cache.v0"];
  if (typeof cache !== "string") return [];
  const diffIds = parseImageConfig(data).rootfs.diff_ids;
  if (diffIds.length !== layers.length) return [];
  const text = new TextDecoder().decode(Uint8Array.from(atob(cache), (c) => c.charCodeAt(0)));
  const chain = layers.map(({ digest }, at) => ({ blob: digest, parent: at - 1 }));
  const blobs = layers.map((layer, at) => ({
    descriptor: bare(layer),
    diffId: diffIds[at] as Digest,
  }));
  return [imported(from, parseInlineRecords(text, chain, what), blobs)];
}

/** How a cache is written down. */
export interface ManifestOptions {
  /** As an image's manifest, which every registry takes, or as an index of layers. */
  readonly asImage: boolean;
  readonly family: MediaTypeFamily;
}

/** Takes blobs and the manifest that names them. */
export interface CacheTarget {
  push(blob: Descriptor, data: () => Bytes, call: Call): Promise<void>;
  writeManifest(descriptor: Descriptor, data: Uint8Array, call: Call): Promise<void>;
}

/** Layers first, then the configuration, the manifest last. Answers with the manifest's descriptor. */
export async function writeCacheManifest(
  cache: OutgoingCache,
  to: CacheTarget,
  { asImage, family }: ManifestOptions,
  call: StepCall,
): Promise<Descriptor> {
  const layers = distinctLayers(cache);
  const progress = (id: string, done: boolean) =>
    call.emit({
      type: "progress",
      step: call.step,
      id,
      at: new Date(),
      current: 0,
      ...(done ? { done } : {}),
    });
  const shown = async (id: string, work: () => Promise<void>) => {
    progress(id, false);
    await work();
    progress(id, true);
  };
  await runAll(
    layers,
    ({ descriptor }, c) =>
      shown(`writing layer ${descriptor.digest}`, () =>
        to.push(descriptor, () => cache.read(descriptor, c), c),
      ),
    call,
  );
  // The manifest tells of the layers.
  const config = serializeCacheConfig({
    ...cache.config,
    layers: cache.config.layers.map(({ blob, parent }) => ({ blob, parent })),
  });
  const configDescriptor = describe(config, cacheConfigMediaType);
  await shown(`writing config ${configDescriptor.digest}`, () =>
    to.push(configDescriptor, () => bytesOf(config), call),
  );
  const listed = layers.map((layer) => toDescriptor(layer, family));
  const mediaType = inFamily(asImage ? mediaTypes.ociManifest : mediaTypes.ociIndex, family);
  const data = asImage
    ? serializeManifest({ mediaType, config: configDescriptor, layers: listed })
    : serializeIndex({ mediaType, manifests: [...listed, configDescriptor] });
  const descriptor = describe(data, mediaType);
  const kind = asImage ? "cache image manifest" : "cache manifest";
  await shown(`writing ${kind} ${descriptor.digest}`, () =>
    to.writeManifest(descriptor, data, call),
  );
  return descriptor;
}

function describe(data: Uint8Array, mediaType: string): Descriptor {
  return { mediaType, digest: digestOf(data), size: data.length };
}

function toDescriptor(layer: OutgoingLayer, family: MediaTypeFamily): Descriptor {
  const { mediaType, digest, size } = layer.descriptor;
  return {
    mediaType: inFamily(mediaType, family),
    digest,
    size,
    annotations: { [createdAt]: layer.createdAt.toISOString(), [uncompressed]: layer.diffId },
  };
}
