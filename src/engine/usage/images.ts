// Which blobs the images of the local store are made of.
import { readFileSync } from "node:fs";
import type { Digest } from "../../base/index.ts";
import type { Descriptor } from "../../formats/oci/index.ts";
import {
  isIndexType,
  isManifestType,
  maxManifestSize,
  parseManifestDocument,
} from "../../formats/oci/index.ts";
import type { StoredBlob } from "../../storage/content/index.ts";
import type { ImageRecord } from "../../storage/image/index.ts";

/** By image name, the digests of all its documents and layers, whether they are on disk or not. */
export function blobsOfImages(
  images: readonly ImageRecord[],
  blobs: readonly StoredBlob[],
): ReadonlyMap<string, ReadonlySet<string>> {
  const stored = new Map<Digest, StoredBlob>(blobs.map((blob) => [blob.digest, blob]));
  return new Map(images.map(({ name, descriptor }) => [name, reachable(descriptor, stored)]));
}

function reachable(root: Descriptor, stored: ReadonlyMap<Digest, StoredBlob>): ReadonlySet<string> {
  const found = new Set<string>();
  const pending = [root];
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    if (found.has(at.digest)) continue;
    found.add(at.digest);
    const blob = stored.get(at.digest);
    if (blob && blob.size <= maxManifestSize) pending.push(...children(at, blob.path));
  }
  return found;
}

/** What the document names; nothing where it is no document, or damaged: reading it will say so. */
function children({ mediaType }: Descriptor, path: string): readonly Descriptor[] {
  if (!isIndexType(mediaType) && !isManifestType(mediaType)) return [];
  try {
    const document = parseManifestDocument(readFileSync(path), mediaType);
    if (document.kind === "index") return document.index.manifests;
    return [document.manifest.config, ...document.manifest.layers];
  } catch {
    return [];
  }
}
