// An OCI image layout (image-layout.md) as a tar archive, for `docker load` too if asked: the same image, the same bytes.
import type { LentStore } from "../../../api/index.ts";
import {
  type Bytes,
  bytesOf,
  type Call,
  digestHex,
  goJson,
  sortedRecord,
} from "../../../base/index.ts";
import { encodeTarHeader, tarEnd, tarPadding } from "../../../formats/archive/index.ts";
import {
  type Descriptor,
  descriptorJson,
  familiarReference,
  formatReference,
  mediaTypes,
  type Reference,
  withDefaultTag,
} from "../../../formats/oci/index.ts";
import type { BlobReader } from "../../../storage/image/index.ts";
import type { AttestationImage } from "../image/attestations.ts";
import type { ImageDocument, PlatformImage } from "../image/documents.ts";

export interface LayoutOptions {
  readonly root: ImageDocument;
  readonly images: readonly PlatformImage[];
  readonly attestations: readonly AttestationImage[];
  /** They are entries of the image's index; else they are beside it. */
  readonly listed: boolean;
  readonly references: readonly Reference[];
  /** Of the root, as the index lists it for each name. */
  readonly descriptor: Descriptor;
  /** With `manifest.json`, which `docker load` reads; for one platform only. */
  readonly docker: boolean;
  /** For layers: the rest is here. */
  readonly read: BlobReader;
}

/** Streams layers from wherever they are. */
export async function* layoutTar(options: LayoutOptions, call: Call): Bytes {
  yield directory("blobs");
  yield directory("blobs/sha256");
  for (const blob of sortedBlobs(options)) {
    yield header(blobPath(blob.descriptor), blob.descriptor.size);
    if (blob.data) yield blob.data;
    else yield* options.read(blob.descriptor, call);
    yield tarEnd.subarray(0, tarPadding(blob.descriptor.size));
  }
  yield* file("index.json", layoutIndex(options));
  if (options.docker) yield* file("manifest.json", dockerManifest(options));
  yield* file("oci-layout", { imageLayoutVersion: "1.0.0" });
  yield tarEnd;
}

/** Writes the blobs into a store that the asking side lends; its index it writes itself, from the response. */
export async function writeLayout(
  options: LayoutOptions,
  store: LentStore,
  call: Call,
): Promise<void> {
  for (const { descriptor, data } of sortedBlobs(options)) {
    const { digest, size } = descriptor;
    if ((await store.size(digest, call)) !== undefined) continue;
    const bytes = data ? bytesOf(data) : options.read(descriptor, call);
    await store.write(digest, size, bytes, call);
  }
}

interface Blob {
  readonly descriptor: Descriptor;
  readonly data?: Uint8Array;
}

/** Each once, by digest. */
function sortedBlobs({ root, images, attestations }: LayoutOptions): readonly Blob[] {
  const blobs = new Map<string, Blob>();
  for (const { config, manifest, layers } of images) {
    for (const descriptor of layers) blobs.set(descriptor.digest, { descriptor });
    for (const document of [config, manifest]) blobs.set(document.descriptor.digest, document);
  }
  for (const document of attestations.flatMap(({ manifest, blobs: own }) => [manifest, ...own]))
    blobs.set(document.descriptor.digest, document);
  blobs.set(root.descriptor.digest, root);
  return [...blobs.keys()].sort().flatMap((digest) => blobs.get(digest) ?? []);
}

/** One entry a name; without names one for the image. Annotations as containerd's importer and Docker read them. */
function layoutIndex({ descriptor, references, attestations, listed }: LayoutOptions) {
  const entry = (named: Readonly<Record<string, string>>) => {
    const annotations = sortedRecord({ ...descriptor.annotations, ...named });
    return descriptorJson({ ...descriptor, annotations });
  };
  const named = references.map(withDefaultTag).map((reference) =>
    entry({
      "io.containerd.image.name": formatReference(reference),
      ...(reference.tag === undefined
        ? {}
        : { "org.opencontainers.image.ref.name": reference.tag }),
    }),
  );
  // What no index lists is found by its subject.
  const beside = listed
    ? []
    : attestations.map(({ entry: { platform: _, ...one } }) => descriptorJson(one));
  const manifests = [...(named.length === 0 ? [entry({})] : named), ...beside];
  return { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests };
}

function dockerManifest({ images, references }: LayoutOptions) {
  return images.map(({ config, layers }) => ({
    Config: blobPath(config.descriptor),
    RepoTags:
      references.length === 0
        ? null
        : references.map((reference) => familiarReference(withDefaultTag(reference))),
    Layers: layers.map(blobPath),
  }));
}

function blobPath({ digest }: Descriptor): string {
  return `blobs/sha256/${digestHex(digest)}`;
}

function directory(path: string): Uint8Array {
  return encodeTarHeader({
    path,
    type: "directory",
    mode: 0o755,
    uid: 0,
    gid: 0,
    size: 0,
    mtime: 0n,
  });
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
