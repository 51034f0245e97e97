// The digest of one file on this disk: small files at one go, large ones without keeping others waiting.
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { type Call, createDigester, type Digest } from "../../base/index.ts";

/** Up to here a file is read synchronously: some milliseconds at most. */
const smallFile = 2 * 1024 * 1024;
const chunkSize = 1024 * 1024;
const buffer = new Uint8Array(smallFile + 1);

/**
 * Digest of a file's bytes. Synchronous (and so able to see what is mounted in this process's own mount namespace) but for
 * large files, which are read through an already open descriptor.
 */
export async function hashFile(path: string, call: Call): Promise<Digest> {
  return hashSmallFile(path) ?? hashLargeFile(path, call);
}

/** Undefined for a file that is too large to be hashed without waiting. */
export function hashSmallFile(path: string): Digest | undefined {
  const file = openSync(path, "r");
  try {
    let length = 0;
    while (length <= smallFile) {
      const count = readSync(file, buffer, length, buffer.length - length, null);
      if (count === 0) return createDigester().update(buffer.subarray(0, length)).digest();
      length += count;
    }
    return undefined;
  } finally {
    closeSync(file);
  }
}

async function hashLargeFile(path: string, call: Call): Promise<Digest> {
  const file = openSync(path, "r");
  try {
    const digester = createDigester();
    const chunk = new Uint8Array(Math.min(chunkSize, Math.max(1, fstatSync(file).size)));
    for (;;) {
      call.signal.throwIfAborted();
      const count = readSync(file, chunk, 0, chunk.length, null);
      if (count === 0) return digester.digest();
      digester.update(chunk.subarray(0, count));
      await new Promise((resolve) => setImmediate(resolve));
    }
  } finally {
    closeSync(file);
  }
}
