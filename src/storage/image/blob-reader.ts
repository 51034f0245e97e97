// The bytes of a blob from wherever they can be had: the store on this disk, else the repositories that it came from.
import {
  type Bytes,
  type Call,
  type Digest,
  isAbortError,
  KilnError,
  Once,
} from "../../base/index.ts";
import type { Descriptor } from "../../formats/oci/index.ts";
import type { ContentStore } from "../content/index.ts";
import type { Registry } from "../registry/index.ts";
import type { BlobOrigins } from "./origins.ts";

export interface BlobReaderParts {
  readonly registry: Registry;
  readonly content: ContentStore;
  readonly origins: BlobOrigins;
}

/** Reads verified bytes. Throws the last repository's error when nobody has the blob. */
export type BlobReader = (blob: Descriptor, call: Call) => Bytes;

export function createBlobReader(parts: BlobReaderParts): BlobReader {
  return async function* read(blob, call) {
    if (await parts.content.has(blob.digest, call)) {
      yield* parts.content.read(blob, call);
      return;
    }
    let failure: unknown;
    for (const repository of parts.origins.repositories(blob.digest)) {
      let begun = false;
      try {
        for await (const chunk of parts.registry.pull(repository).read(blob, call)) {
          begun = true;
          yield chunk;
        }
        return;
      } catch (error) {
        // Once bytes have been handed on, another source cannot take over.
        if (begun || isAbortError(error)) throw error;
        failure = error;
      }
    }
    throw failure ?? lostBlob(blob);
  };
}

/**
 * The same for blobs that several readers want: each is downloaded once, into the store, however many ask at the same
 * time.
 */
export function createSharedBlobReader(parts: BlobReaderParts): BlobReader {
  const read = createBlobReader(parts);
  const downloads = new Once<Digest, void>();
  return async function* readShared(blob, call) {
    const { content } = parts;
    if (!(await content.has(blob.digest, call))) {
      const download = (shared: Call) => content.write(blob, () => read(blob, shared), shared);
      await downloads.run(blob.digest, download, call);
    }
    yield* content.read(blob, call);
  };
}

function lostBlob(blob: Descriptor): KilnError {
  return new KilnError(
    "STORE_CORRUPT",
    `blob ${blob.digest} is not in the store, and no repository is known to have it`,
    { hint: "Build again with --no-cache: the step that made it runs anew." },
  );
}
