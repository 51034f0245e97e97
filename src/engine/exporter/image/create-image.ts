// From solved platforms to documents and blobs in the content store: what the exporters image, oci and docker share.
import { Buffer } from "node:buffer";
import type { StepCall } from "../../../api/index.ts";
import { bytesOf, type Call, runAll, wrap } from "../../../base/index.ts";
import { type Descriptor, formatPlatform, isForeignLayerType } from "../../../formats/oci/index.ts";
import type { BlobReader } from "../../../storage/image/index.ts";
import type { LayerBlob, SnapshotLayer } from "../../../storage/snapshot/index.ts";
import { announce, announced } from "../announce.ts";
import type { SolvedPlatform, SolvedResult } from "../exporter.ts";
import type { ExporterParts } from "../parts.ts";
import { type AttestationImage, createAttestation } from "./attestations.ts";
import type { ImageAttributes } from "./attributes.ts";
import {
  createPlatformImage,
  createRoot,
  type DocumentOptions,
  type ImageDocument,
  type PlatformImage,
} from "./documents.ts";
import { isEmpty, layerTitles } from "./history.ts";
import type { LayerPacker, PackOptions } from "./pack-layers.ts";
import { chooseTimestamps } from "./timestamps.ts";

export interface CreatedImage {
  /** Of the platforms, in their order. */
  readonly images: readonly PlatformImage[];
  /** Of the images, in their order. */
  readonly attestations: readonly AttestationImage[];
  /** An index, or the only image's manifest. */
  readonly root: ImageDocument;
  /** What is told of the root: with its platform where it is one image. */
  readonly descriptor: Descriptor;
  /** RFC 3339. */
  readonly created: string;
}

/** All that the image consists of but its layers, the root first, each once. */
export function documentsOf({ root, images, attestations }: CreatedImage): ImageDocument[] {
  const all = [
    root,
    ...images.flatMap(({ manifest, config }) => [manifest, config]),
    ...attestations.flatMap(({ manifest, blobs }) => [manifest, ...blobs]),
  ];
  return [...new Map(all.map((one) => [one.descriptor.digest, one])).values()];
}

export interface CreateImageOptions {
  readonly attributes: ImageAttributes;
  readonly read: BlobReader;
  /** Told of every layer and configuration as soon as it can be sent. */
  readonly onBlob?: (blob: Descriptor) => void;
}

/** Puts all that is new into the content store. Layers of the base image stay where they are. */
export async function createImage(
  parts: ExporterParts,
  pack: LayerPacker,
  result: SolvedResult,
  options: CreateImageOptions,
  call: StepCall,
): Promise<CreatedImage> {
  const { attributes } = options;
  const { clamp, created } = chooseTimestamps(attributes, result.sourceDateEpoch, parts.now);
  const attested = isAttested(result, attributes);
  const documents: DocumentOptions = {
    // Docker's lists cannot say what an attestation is about.
    family: attested ? "oci" : attributes.family,
    annotations: attributes.annotations,
    keepsForeign: attributes.keepsForeign,
    created,
  };
  const packing: PackOptions = { ...attributes.packing, clamp, read: options.read };
  const makeOne = async (solved: SolvedPlatform, group: Call) => {
    const own = { ...call, ...group };
    const blobs = await packPlatform(solved, pack, packing, options, own);
    const members = await cacheMembers(solved, blobs);
    const image = createPlatformImage(solved, blobs, documents, members);
    await store(parts, image.config, own);
    options.onBlob?.(image.config.descriptor);
    await store(parts, image.manifest, own);
    const attestation = attested
      ? await attest(parts, solved, image, blobs, options, own)
      : undefined;
    return { image, attestation };
  };
  const made = await announced("exporting layers", call, () =>
    runAll(result.platforms, makeOne, call),
  );
  const images = made.map(({ image }) => image);
  const attestations = made.flatMap(({ attestation }) => attestation ?? []);
  const listed =
    attributes.attestationStore === "index" ? attestations.map(({ entry }) => entry) : [];
  const root = createRoot(result.platforms, images, result.multiPlatform, documents, listed);
  await store(parts, root, call);
  for (const { manifest, config } of images) {
    announce(`exporting manifest ${manifest.descriptor.digest}`, call);
    announce(`exporting config ${config.descriptor.digest}`, call);
  }
  for (const { manifest } of attestations)
    announce(`exporting attestation manifest ${manifest.descriptor.digest}`, call);
  if (root !== images[0]?.manifest)
    announce(`exporting manifest list ${root.descriptor.digest}`, call);
  const [only] = result.platforms;
  const single = only && root === images[0]?.manifest ? { platform: only.platform } : {};
  return { images, attestations, root, descriptor: { ...root.descriptor, ...single }, created };
}

/**
 * As the reference: what is only to stand beside images makes no index where there would be none, unless images are what is
 * exported; where there is one, it stands there.
 */
function isAttested(
  { platforms, multiPlatform }: SolvedResult,
  attributes: ImageAttributes,
): boolean {
  const all = platforms.flatMap(({ attestations = [] }) => attestations);
  if (all.length === 0) return false;
  return (
    multiPlatform ||
    platforms.length > 1 ||
    attributes.attestationInline ||
    all.some(({ inlineOnly }) => !inlineOnly)
  );
}

/** What the configuration says beyond the specification: the cache that the image carries. */
async function cacheMembers(
  { snapshot, inlineCache }: SolvedPlatform,
  blobs: readonly LayerBlob[],
): Promise<Readonly<Record<string, string>>> {
  const cache = await inlineCache?.(
    (snapshot?.layers ?? []).map(({ id }, at) => {
      const blob = blobs[at];
      return { id, listed: blob !== undefined && !isEmpty(blob) };
    }),
  );
  return cache ? { "moby.buildkit.cache.v0": Buffer.from(cache).toString("base64") } : {};
}

/** Writes down what is said about one image. */
async function attest(
  parts: ExporterParts,
  solved: SolvedPlatform,
  image: PlatformImage,
  layers: readonly LayerBlob[],
  { attributes, onBlob }: CreateImageOptions,
  call: StepCall,
): Promise<AttestationImage | undefined> {
  const { attestations = [], platform } = solved;
  if (attestations.length === 0) return undefined;
  const predicates = await runAll(
    attestations,
    async ({ predicateType, predicate, subjects = [] }, c) => ({
      predicateType,
      predicate: await predicate(layers, c),
      subjects,
    }),
    call,
  );
  const { references, ociArtifact, attestationStore } = attributes;
  const attestation = createAttestation(image.manifest.descriptor, predicates, {
    references,
    platform,
    ociArtifact: ociArtifact || attestationStore === "referrers",
  });
  for (const blob of attestation.blobs) {
    await store(parts, blob, call);
    onBlob?.(blob.descriptor);
  }
  await store(parts, attestation.manifest, call);
  return attestation;
}

/** Packs one new layer as `createImage` will, at leisure. */
export async function packEarly(
  parts: ExporterParts,
  pack: LayerPacker,
  {
    layer,
    times,
    attributes,
  }: {
    readonly layer: SnapshotLayer;
    readonly times: Pick<SolvedResult, "sourceDateEpoch">;
    readonly attributes: ImageAttributes;
  },
  call: StepCall,
): Promise<void> {
  const { clamp } = chooseTimestamps(attributes, times.sourceDateEpoch, parts.now);
  const read: BlobReader = () => {
    throw new Error("a new layer is not read from anywhere");
  };
  await pack(layer, { ...attributes.packing, clamp, read, atLeisure: true }, call);
}

async function packPlatform(
  { snapshot, platform, config }: SolvedPlatform,
  pack: LayerPacker,
  packing: PackOptions,
  options: CreateImageOptions,
  call: StepCall,
): Promise<readonly LayerBlob[]> {
  // A tree of the asking side has no layers before it has been copied.
  if (snapshot?.tree) await snapshot.mounts(call);
  const layers = snapshot?.layers ?? [];
  const titles = layerTitles(config.history ?? [], formatPlatform(platform));
  const packOne = async (index: number, group: { signal: AbortSignal }) => {
    const layer = layers[index] as SnapshotLayer;
    const title = titles[index];
    const named = title === undefined ? packing : { ...packing, title };
    const blob = await pack(layer, named, { ...call, ...group });
    if (!isEmpty(blob) && !staysAway(blob, options)) options.onBlob?.(blob.descriptor);
    return blob;
  };
  try {
    return await runAll([...layers.keys()], packOne, call);
  } catch (error) {
    throw wrap(error, `exporting layers of ${formatPlatform(platform)}`);
  }
}

/** A foreign layer that keeps saying so is had from where its manifest says. */
function staysAway({ descriptor }: LayerBlob, { attributes }: CreateImageOptions): boolean {
  const { mediaType, urls } = descriptor;
  return attributes.keepsForeign && isForeignLayerType(mediaType) && (urls?.length ?? 0) > 0;
}

async function store(parts: ExporterParts, document: ImageDocument, call: StepCall): Promise<void> {
  await parts.content.write(document.descriptor, () => bytesOf(document.data), call);
}
