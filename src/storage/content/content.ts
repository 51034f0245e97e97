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

/** A blob on this disk. */
export interface StoredBlob {
  readonly digest: Digest;
  readonly size: number;
  readonly usedAt: Date;
  readonly createdAt: Date;
  /** Absolute path of the file. */
  readonly path: string;
  /** Asked for, read or written by a live process that has not let go of it. */
  readonly inUse: boolean;
}

/**
 * The blobs on this disk. A blob that can be seen is whole and verified, whatever crashed while it was written. One that a
 * process has asked for, read or written stays for that process until it lets go of it or ends.
 */
export interface ContentStore extends BlobSource, BlobSink {
  /** For producers that learn the digest by writing. */
  ingest(mediaType: string, data: Bytes, call: Call): Promise<Descriptor>;
  /** Whoever uses it. */
  delete(digest: Digest): Promise<void>;
  list(): AsyncIterable<StoredBlob>;
  /** Deletes what no live process uses. Answers with what is gone. */
  collect(digests: readonly Digest[]): Promise<readonly Digest[]>;
  /** Lets go of all that this process has used: no work that counts on it goes on. */
  release(): void;
}
