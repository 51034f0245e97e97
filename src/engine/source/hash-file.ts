// The digest of one file on this disk: small files at one go, large ones without keeping others waiting.
import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  openSync,
  read,
  readSync,
} from "node:fs";
import { type Call, createDigester, type Digest } from "../../base/index.ts";

export interface HashedFile {
  readonly digest: Digest;
  /** As it was once all had been read. */
  readonly stat: BigIntStats;
}

/** Up to here a file is read at one go: some milliseconds at most. */
const smallFile = 2 * 1024 * 1024;
const chunkSize = 1024 * 1024;
const buffer = new Uint8Array(smallFile + 1);

/** What is hashed before a file's bytes, given how many there are. */
export type HeaderOf = (size: number) => string | Uint8Array;

/** Digest of a header and a file's bytes. Never follows a symbolic link: what is one now was none when it was looked at. */
export async function hashFile(path: string, header: HeaderOf, call: Call): Promise<HashedFile> {
  return hashSmallFile(path, header) ?? hashLargeFile(path, header, call);
}

/**
 * Undefined for a file that is too large to be hashed without waiting. Files are opened synchronously here and below: only
 * the main thread sees what is mounted in this process's own mount namespace.
 */
export function hashSmallFile(path: string, header: HeaderOf): HashedFile | undefined {
  const file = openFile(path);
  try {
    // A regular file gives less than was asked for only at its end.
    const length = readSync(file, buffer, 0, buffer.length, null);
    if (length > smallFile) return undefined;
    const digester = createDigester().update(header(length));
    const digest = digester.update(buffer.subarray(0, length)).digest();
    return { digest, stat: fstatSync(file, { bigint: true }) };
  } finally {
    closeSync(file);
  }
}

/** Reads one chunk while the one before is hashed. */
async function hashLargeFile(path: string, header: HeaderOf, call: Call): Promise<HashedFile> {
  const file = openFile(path);
  let reading: Promise<number> | undefined;
  try {
    const digester = createDigester().update(header(Number(fstatSync(file).size)));
    let chunk = new Uint8Array(chunkSize);
    let other = new Uint8Array(chunkSize);
    reading = readNext(file, chunk);
    for (;;) {
      call.signal.throwIfAborted();
      const count = await reading;
      if (count === 0)
        return { digest: digester.digest(), stat: fstatSync(file, { bigint: true }) };
      reading = readNext(file, other);
      digester.update(chunk.subarray(0, count));
      [chunk, other] = [other, chunk];
    }
  } finally {
    // The number must not be another file's while somebody still reads from it.
    await reading?.catch(() => {});
    closeSync(file);
  }
}

const readNext = (file: number, chunk: Uint8Array): Promise<number> =>
  new Promise((resolve, reject) => {
    read(file, chunk, 0, chunk.length, null, (error, count) =>
      error ? reject(error) : resolve(count),
    );
  });

function openFile(path: string): number {
  return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
}
