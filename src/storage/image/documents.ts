// Manifests and configurations by digest: from the local store where they are there, else fetched and kept.
import { type Bytes, bytesOf, type Call, isKilnError, readAll } from "../../base/index.ts";
import {
  type Descriptor,
  type ManifestDocument,
  maxManifestSize,
  parseManifestDocument,
} from "../../formats/oci/index.ts";
import type { ContentStore } from "../content/index.ts";
import type { PullRepository } from "../registry/index.ts";

export interface DocumentParts {
  readonly repository: Pick<PullRepository, "readManifest" | "read">;
  readonly content: ContentStore;
}

/** Throws `IMAGE_INVALID` when it is malformed, and the registry's errors. */
export async function readManifestDocument(
  descriptor: Descriptor,
  { repository, content }: DocumentParts,
  call: Call,
): Promise<ManifestDocument> {
  const fetch = () => repository.readManifest(descriptor, call);
  const data = await kept(descriptor, content, maxManifestSize, fetch, call);
  return parseManifestDocument(data, descriptor.mediaType);
}

/** The bytes of a small blob. Throws `ARCHIVE_INVALID` when it is larger than `limit`, and the registry's errors. */
export function readBlobDocument(
  descriptor: Descriptor,
  { repository, content }: DocumentParts,
  limit: number,
  call: Call,
): Promise<Uint8Array> {
  const fetch = () => gather(repository.read(descriptor, call), descriptor, limit);
  return kept(descriptor, content, limit, fetch, call);
}

async function kept(
  descriptor: Descriptor,
  content: ContentStore,
  limit: number,
  fetch: () => Promise<Uint8Array>,
  call: Call,
): Promise<Uint8Array> {
  if (await content.has(descriptor.digest, call)) {
    try {
      return await gather(content.read(descriptor, call), descriptor, limit);
    } catch (error) {
      // A damaged copy is no reason to fail where the registry can be asked.
      if (!isKilnError(error, "BLOB_CORRUPT")) throw error;
      await content.delete(descriptor.digest);
    }
  }
  const data = await fetch();
  await content.write(descriptor, () => bytesOf(data), call);
  return data;
}

function gather(data: Bytes, { digest }: Descriptor, limit: number): Promise<Uint8Array> {
  return readAll(data, limit, `document ${digest}`);
}
