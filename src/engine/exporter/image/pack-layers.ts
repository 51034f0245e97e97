// Layers of snapshots as the blobs of an image: base layers as they are, new ones packed once, several at a time.
import { availableParallelism } from "node:os";
import type { StepCall } from "../../../api/index.ts";
import {
  type Bytes,
  type Call,
  createDigester,
  type Digester,
  KilnError,
  Limiter,
  Once,
} from "../../../base/index.ts";
import { decompress, type EstargzFacts, estargz } from "../../../formats/archive/index.ts";
import { type Descriptor, layerCompression, layerType } from "../../../formats/oci/index.ts";
import type { ContentStore } from "../../../storage/content/index.ts";
import type { BlobReader } from "../../../storage/image/index.ts";
import type { LayerBlob, SnapshotLayer, Snapshotter } from "../../../storage/snapshot/index.ts";
import type { Packing } from "./attributes.ts";
import { checkCompression, compress, type Pace } from "./compress.ts";
import type { MadeLayers } from "./made-layers.ts";

export interface LayerPackerParts {
  readonly content: ContentStore;
  readonly snapshotter: Snapshotter;
  readonly made: MadeLayers;
}

export interface PackOptions extends Packing {
  /** Seconds: later time stamps in new layers are lowered to this. Undefined leaves them. */
  readonly clamp: number | undefined;
  /** For layers of the base image that must be packed anew. */
  readonly read: BlobReader;
  /** What made the layer, for people; its id where absent. */
  readonly title?: string;
  /** Nobody waits for it yet. Ends when somebody asks for the same layer without this. */
  readonly atLeisure?: boolean;
}

/** Packing fewer bytes than this takes no time worth a word. */
const worthTelling = 1_000_000;

/** Packs a layer unless that was done before. Callers that overlap in time share the work. */
export type LayerPacker = (
  layer: SnapshotLayer,
  options: PackOptions,
  call: StepCall,
) => Promise<LayerBlob>;

/** Increase it when the bytes that a packing gives change, so that remembered ones are not mixed with new ones. */
const packingVersion = 3;

export function createLayerPacker(parts: LayerPackerParts): LayerPacker {
  const once = new Once<string, LayerBlob>();
  /** What somebody waits for. */
  const urgent = new Set<string>();
  // One more than there are processors, so that reading one layer overlaps with the last blocks of another.
  const limiter = new Limiter(availableParallelism() + 1);
  return async (layer, options, call) => {
    if (layer.blob && !needsPacking(layer.blob, options)) return layer.blob;
    checkCompression(options.compression);
    const key = packingKey(layer, options);
    const known = parts.made.find(key);
    if (known && (await parts.content.has(known.descriptor.digest, call))) return known;
    if (!options.atLeisure) urgent.add(key);
    const atLeisure = () => !urgent.has(key);
    const work = async (shared: Call) => {
      try {
        using _permit = await limiter.acquire(shared);
        const own = { ...call, signal: shared.signal };
        const blob = await packLayer(parts, layer, { ...options, pace: { atLeisure } }, own);
        parts.made.remember(key, blob);
        return blob;
      } finally {
        urgent.delete(key);
      }
    };
    return once.run(key, work, call);
  };
}

function needsPacking({ descriptor }: LayerBlob, { force, compression }: PackOptions): boolean {
  if (!force) return false;
  if (compression === "estargz") return descriptor.annotations?.[tocDigest] === undefined;
  return layerCompression(descriptor.mediaType) !== compression;
}

function packingKey(layer: SnapshotLayer, { compression, level, clamp }: PackOptions): string {
  // A base layer's time stamps are never touched.
  const times = layer.blob ? undefined : clamp;
  const { diffId } = layer.blob ?? {};
  return JSON.stringify([
    packingVersion,
    diffId ?? layer.id,
    compression,
    level ?? "",
    times ?? "",
  ]);
}

async function packLayer(
  parts: LayerPackerParts,
  layer: SnapshotLayer,
  options: PackOptions & { readonly pace: Pace },
  call: StepCall,
): Promise<LayerBlob> {
  const id = `packing ${options.title ?? `layer ${layer.blob?.diffId ?? layer.id}`}`;
  const digester = createDigester();
  let told = false;
  const tell = (amount: { current: number; total?: number; done?: boolean }) => {
    told = true;
    call.emit({ type: "progress", step: call.step, id, at: new Date(), ...amount });
  };
  const spare: Uint8Array[] = [];
  const watched = watch(openTar(parts, layer, options, spare, call), digester, tell);
  const { compression, level, pace } = options;
  const seekable =
    compression === "estargz"
      ? estargz(watched, { ...pace, ...(level === undefined ? {} : { level }) })
      : undefined;
  const kind = compression === "estargz" ? "gzip" : compression;
  const packed =
    seekable?.data ??
    compress(watched, kind, level, { ...pace, taken: (chunk) => keepOne(spare, chunk) });
  const stored = await parts.content.ingest(layerType(kind), packed, call);
  const facts = seekable?.facts();
  const plain = digester.digest();
  // The table is part of what the layer unpacks to.
  const diffId = facts?.diffId ?? plain;
  const descriptor = facts ? { ...stored, annotations: annotationsOf(facts) } : stored;
  if (layer.blob && layer.blob.diffId !== plain) {
    throw new KilnError(
      "BLOB_CORRUPT",
      `layer ${layer.blob.descriptor.digest}: its contents are not what the image says`,
    );
  }
  const { size } = descriptor;
  if (told || size >= worthTelling) tell({ current: size, total: size, done: true });
  return { descriptor, diffId };
}

/** By which those who can fetch parts of a layer find its table. */
const tocDigest = "containerd.io/snapshot/stargz/toc.digest";
const uncompressedSize = "io.containers.estargz.uncompressed-size";

function annotationsOf(facts: EstargzFacts): Readonly<Record<string, string>> {
  return {
    [tocDigest]: facts.tocDigest,
    [uncompressedSize]: String(facts.uncompressedSize),
  };
}

/** What of a layer's annotations belongs to its bytes, and so into every manifest that lists it. */
export function packingAnnotations({
  annotations = {},
}: Descriptor): Readonly<Record<string, string>> | undefined {
  const own = [tocDigest, uncompressedSize].flatMap((name) => {
    const value = annotations[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return own.length === 0 ? undefined : Object.fromEntries(own);
}

function openTar(
  { snapshotter }: LayerPackerParts,
  layer: SnapshotLayer,
  { read, clamp }: PackOptions,
  spare: Uint8Array[],
  call: StepCall,
): Bytes {
  if (!layer.blob) return snapshotter.tar(layer, { clamp, spare }, call);
  const { descriptor } = layer.blob;
  return decompress(read(descriptor, call), `layer ${descriptor.digest}`);
}

/** More than one are not under way between the archive and its compression. */
function keepOne(spare: Uint8Array[], chunk: Uint8Array): void {
  if (spare.length === 0) spare.push(chunk);
}

/** How often a running packing says how far it is, in bytes. */
const progressEvery = 16 * 1024 * 1024;

async function* watch(
  data: Bytes,
  digester: Digester,
  tell: (amount: { readonly current: number }) => void,
): Bytes {
  let seen = 0;
  let said = 0;
  for await (const chunk of data) {
    digester.update(chunk);
    seen += chunk.length;
    if (seen - said >= progressEvery) {
      said = seen;
      tell({ current: seen });
    }
    yield chunk;
  }
}
