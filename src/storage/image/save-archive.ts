// Images as one tar archive: an OCI layout, with docker's own list for images of a single platform.
import { type Bytes, type Call, digestHex, goJson, readAll } from "../../base/index.ts";
import { encodeTarHeader, tarEnd, tarPadding } from "../../formats/archive/index.ts";
import {
  type Descriptor,
  descriptorJson,
  familiarReference,
  isManifestType,
  type Manifest,
  maxManifestSize,
  mediaTypes,
  parseManifestDocument,
  parseReference,
} from "../../formats/oci/index.ts";
import { isAttestation } from "./attestations.ts";
import type { BlobReader } from "./blob-reader.ts";

/** An image and the whole name under which it goes into the archive. */
export interface SavedImage {
  readonly name: string;
  readonly descriptor: Descriptor;
}

/** Indexes within indexes are followed this deep. */
const maxDepth = 4;

/** Streams the archive; the same images give the same bytes. Each blob once. */
export async function* saveArchive(
  images: readonly SavedImage[],
  read: BlobReader,
  call: Call,
): Bytes {
  const blobs = new Map<string, Descriptor>();
  const listed: unknown[] = [];
  for (const { name, descriptor } of images) {
    const manifests = await collect(descriptor, blobs, read, maxDepth, call);
    const [only] = manifests;
    if (only && manifests.length === 1) listed.push(dockerEntry(name, only));
  }
  for (const digest of [...blobs.keys()].sort()) {
    const blob = blobs.get(digest);
    if (!blob) continue;
    yield header(blobPath(blob), blob.size);
    yield* read(blob, call);
    yield tarEnd.subarray(0, tarPadding(blob.size));
  }
  const manifests = images.map(indexEntry);
  yield* file("index.json", { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests });
  if (listed.length > 0) yield* file("manifest.json", listed);
  yield* file("oci-layout", { imageLayoutVersion: "1.0.0" });
  yield tarEnd;
}

/** Gathers what a document leads to; answers with the manifests of images among it. */
async function collect(
  descriptor: Descriptor,
  blobs: Map<string, Descriptor>,
  read: BlobReader,
  depth: number,
  call: Call,
): Promise<readonly Manifest[]> {
  blobs.set(descriptor.digest, descriptor);
  const what = `manifest ${descriptor.digest}`;
  const data = await readAll(read(descriptor, call), maxManifestSize, what);
  const document = parseManifestDocument(data, descriptor.mediaType);
  if (document.kind === "manifest") {
    const { config, layers } = document.manifest;
    for (const blob of [config, ...layers]) blobs.set(blob.digest, blob);
    return isAttestation(descriptor) ? [] : [document.manifest];
  }
  const found: Manifest[] = [];
  for (const entry of document.index.manifests) {
    if (depth === 0 || !isDocument(entry)) blobs.set(entry.digest, entry);
    else found.push(...(await collect(entry, blobs, read, depth - 1, call)));
  }
  return found;
}

function isDocument({ mediaType }: Descriptor): boolean {
  return (
    isManifestType(mediaType) || mediaType.includes("index") || mediaType.includes("manifest.list")
  );
}

function indexEntry({ name, descriptor: { mediaType, digest, size } }: SavedImage) {
  const { tag } = parseReference(name);
  const annotations = {
    "io.containerd.image.name": name,
    ...(tag === undefined ? {} : { "org.opencontainers.image.ref.name": tag }),
  };
  return descriptorJson({ mediaType, digest, size, annotations });
}

function dockerEntry(name: string, { config, layers }: Manifest): unknown {
  return {
    Config: blobPath(config),
    RepoTags: [familiarReference(parseReference(name))],
    Layers: layers.map(blobPath),
  };
}

function blobPath({ digest }: Descriptor): string {
  return `blobs/sha256/${digestHex(digest)}`;
}

function header(path: string, size: number): Uint8Array {
  return encodeTarHeader({ path, type: "file", mode: 0o644, uid: 0, gid: 0, size, mtime: 0n });
}

async function* file(path: string, document: unknown): Bytes {
  const data = new TextEncoder().encode(goJson(document));
  yield header(path, data.length);
  yield data;
  yield tarEnd.subarray(0, tarPadding(data.length));
}
