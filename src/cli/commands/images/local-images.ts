// The local store as `kiln image` sees it: names, and the blobs behind them.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Call, fromNodeError, KilnError, readAll } from "../../../base/index.ts";
import {
  type Descriptor,
  formatReference,
  isIndexType,
  maxManifestSize,
  parseManifestDocument,
  parseReference,
  withDefaultTag,
} from "../../../formats/oci/index.ts";
import { type ContentStore, openContentStore } from "../../../storage/content/index.ts";
import {
  type BlobReader,
  createBlobOrigins,
  createBlobReader,
  createImageRecords,
  type ImageRecord,
  type ImageRecords,
} from "../../../storage/image/index.ts";
import { openClientConfig } from "../builders/client-config.ts";
import type { RunWorld } from "../command.ts";
import { openPlaces, type Places } from "./image-places.ts";

export interface LocalImages extends Disposable {
  readonly records: ImageRecords;
  readonly content: ContentStore;
  /** From this disk, else from the repositories that are known to have it. */
  readonly read: BlobReader;
  readonly places: Places;
  /** Throws `IMAGE_NOT_FOUND`. */
  find(name: string): ImageRecord;
}

/** Opens the store below Kiln's root. The directories are the engine's own. */
export async function openLocalImages(world: RunWorld): Promise<LocalImages> {
  const { root } = await openClientConfig(world);
  try {
    mkdirSync(root, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw fromNodeError(error, `making ${root}`);
  }
  const content = await openContentStore(join(root, "content"));
  const records = createImageRecords(join(root, "images"));
  const origins = createBlobOrigins(join(root, "origins"));
  const places = await openPlaces(world);
  return {
    records,
    content,
    places,
    read: createBlobReader({ content, origins, registry: places.client }),
    find(name) {
      const record = records.get(localName(name));
      if (record) return record;
      throw new KilnError("IMAGE_NOT_FOUND", `there is no image ${localName(name)} here`, {
        hint: "`kiln image ls` lists the names that are here.",
      });
    },
    [Symbol.dispose]() {
      places[Symbol.dispose]();
      content.release();
    },
  };
}

/** The whole name as records have it. */
export function localName(text: string): string {
  return formatReference(withDefaultTag(parseReference(text)));
}

/** Bytes of the layers and configurations behind a name, each blob once; what is not here counts by its descriptor. */
export async function imageSize(root: Descriptor, local: LocalImages, call: Call): Promise<number> {
  const blobs = new Map<string, number>();
  const visit = async (descriptor: Descriptor, depth: number): Promise<void> => {
    if (depth > 3 || !(await local.content.has(descriptor.digest, call))) return;
    const data = await readAll(local.content.read(descriptor, call), maxManifestSize, "manifest");
    const document = parseManifestDocument(data, descriptor.mediaType);
    if (document.kind === "index") {
      for (const entry of document.index.manifests) await visit(entry, depth + 1);
      return;
    }
    for (const blob of [document.manifest.config, ...document.manifest.layers])
      blobs.set(blob.digest, blob.size);
  };
  await visit(root, isIndexType(root.mediaType) ? 0 : 1);
  return [...blobs.values()].reduce((total, size) => total + size, 0);
}
