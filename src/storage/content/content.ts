// Blobs by digest: what can be read from, what can be written to, and the store that is both.
import type { Bytes, Call, Digest } from "../../base/index.ts";
import type { Descriptor } from "../../formats/oci/index.ts";

/** Whatever blobs can be read from: local store, registry repository, OCI layout, client session. */
export interface BlobSource {
  has(digest: Digest, call: Call): Promise<boolean>;
  /** Checks size and digest on the way through; a mismatch throws instead of the last chunk. */
  read(blob: Descriptor, call: Call): Bytes;
}

/** Whatever blobs can be written to. */
export interface BlobSink {
  /** Idempotent. `data` is not called when the blob is already there. */
  write(blob: Descriptor, data: () => Bytes, call: Call): Promise<void>;
}

/** The blobs on this disk. A blob that can be seen is whole and verified, whatever crashed while it was written. */
export interface ContentStore extends BlobSource, BlobSink {
  /** For producers that learn the digest by writing. */
  ingest(mediaType: string, data: Bytes, call: Call): Promise<Descriptor>;
  delete(digest: Digest): Promise<void>;
  list(): AsyncIterable<{ readonly digest: Digest; readonly size: number; readonly usedAt: Date }>;
}
