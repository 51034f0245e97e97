// What is remembered of a URL: which blob it was last, and by what the server tells whether it still is.
import { createHash } from "node:crypto";
import { type Digest, isDigest, isRecord } from "../../../base/index.ts";
import type { Metadata, MetadataTable } from "../../../storage/metadata/index.ts";

/** One answer, kept: the headers that count, and the body's blob in the content store. */
export interface HttpRecord {
  readonly digest: Digest;
  readonly size: number;
  readonly etag?: string;
  /** As the server wrote it. */
  readonly lastModified?: string;
  /** Whether `lastModified` was long enough ago to tell every change after it. */
  readonly settled?: boolean;
  readonly disposition?: string;
  /** Checksum of another kind than the blob's digest, found to be right. */
  readonly checksum?: string;
}

export interface HttpRecords {
  get(key: string): HttpRecord | undefined;
  put(key: string, record: HttpRecord): void;
}

/** Keeps the latest answer for each key. */
export function createHttpRecords(metadata: Metadata): HttpRecords {
  const table: MetadataTable<unknown> = metadata.table("http-sources");
  // URLs may be longer than keys.
  const short = (key: string) => createHash("sha256").update(key).digest("hex");
  return {
    get(key) {
      const found = table.get(short(key));
      return isHttpRecord(found) ? found : undefined;
    },
    put(key, record) {
      metadata.transaction(() => table.put(short(key), record));
    },
  };
}

function isHttpRecord(value: unknown): value is HttpRecord {
  if (!isRecord(value)) return false;
  const { digest, size } = value;
  return typeof digest === "string" && isDigest(digest) && typeof size === "number";
}
