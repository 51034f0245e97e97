// The one byte currency between rooms, and what is done to it on the way: hashing, limiting, verifying, gathering.
import { createHash } from "node:crypto";
import type { Digest } from "./digest.ts";
import { KilnError } from "./errors.ts";

/** The one byte currency between rooms. A chunk, once yielded, is never written to again. */
export type Bytes = AsyncIterable<Uint8Array>;

/** Passes `data` through and throws `BLOB_CORRUPT`, instead of ending, when size or digest is not as promised. */
export async function* verified(data: Bytes, digest: Digest, size: number, what: string): Bytes {
  const hash = createHash("sha256");
  let seen = 0;
  for await (const chunk of data) {
    seen += chunk.length;
    if (seen > size) break;
    hash.update(chunk);
    yield chunk;
  }
  if (seen !== size) {
    const found = seen > size ? "more" : `${seen}`;
    throw new KilnError("BLOB_CORRUPT", `${what}: expected ${size} bytes, got ${found}`);
  }
  const found = `sha256:${hash.digest("hex")}`;
  if (found !== digest)
    throw new KilnError("BLOB_CORRUPT", `${what}: expected ${digest}, got ${found}`);
}

/** Passes `data` through and throws `error()` as soon as more than `limit` bytes have gone by. */
export async function* limited(data: Bytes, limit: number, error: () => Error): Bytes {
  let seen = 0;
  for await (const chunk of data) {
    seen += chunk.length;
    if (seen > limit) throw error();
    yield chunk;
  }
}

/** Gathers a stream in memory; for documents with a known limit, never for layers. */
export async function readAll(data: Bytes, limit: number, what: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  const tooLarge = () => new KilnError("ARCHIVE_INVALID", `${what}: larger than ${limit} bytes`);
  for await (const chunk of limited(data, limit, tooLarge)) chunks.push(chunk);
  return concatBytes(chunks);
}

/** One array with the contents of all. Returns the only element as it is. */
export function concatBytes(chunks: readonly Uint8Array[]): Uint8Array {
  if (chunks.length === 1 && chunks[0]) return chunks[0];
  const out = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    out.set(chunk, at);
    at += chunk.length;
  }
  return out;
}

/** A stream of one chunk. */
export async function* bytesOf(data: Uint8Array | string): Bytes {
  yield typeof data === "string" ? new TextEncoder().encode(data) : data;
}
