// Gzip on all cores: fixed-size blocks deflated in the thread pool, each with its predecessor's end as dictionary.
import { constants, crc32, deflateRaw } from "node:zlib";
import type { Bytes } from "../../base/index.ts";

export interface GzipOptions {
  /** 1 (fast) to 9 (small); 6 where absent. */
  readonly level?: number;
}

const blockLength = 512 * 1024;
const windowLength = 32 * 1024;
/** Blocks under way at once: twice the thread pool's usual size, so that it never runs dry. */
const ahead = 8;

/** One gzip member. The bytes depend on the input and the level only: not on chunking, and not on the number of cores. */
export async function* gzip(data: Bytes, options: GzipOptions = {}): Bytes {
  const level = options.level ?? 6;
  yield memberHeader(level);
  const running: Promise<Uint8Array>[] = [];
  let sum = 0;
  let size = 0;
  let dictionary: Uint8Array | undefined;
  try {
    for await (const block of blocks(data)) {
      sum = crc32(block, sum);
      size += block.length;
      running.push(deflateBlock(block, level, dictionary));
      dictionary = block.subarray(Math.max(0, block.length - windowLength));
      if (running.length > ahead) yield* settled(running);
    }
    while (running.length > 0) yield* settled(running);
  } finally {
    await Promise.allSettled(running);
  }
  yield trailer(sum, size);
}

async function* settled(running: Promise<Uint8Array>[]): Bytes {
  const first = await running.shift();
  if (first !== undefined && first.length > 0) yield first;
}

/** Regroups chunks into blocks of exactly `blockLength` bytes; only the last may be shorter. */
async function* blocks(data: Bytes): Bytes {
  let block = new Uint8Array(blockLength);
  let filled = 0;
  for await (const chunk of data) {
    for (let at = 0; at < chunk.length; ) {
      const length = Math.min(blockLength - filled, chunk.length - at);
      block.set(chunk.subarray(at, at + length), filled);
      filled += length;
      at += length;
      if (filled === blockLength) {
        yield block;
        block = new Uint8Array(blockLength);
        filled = 0;
      }
    }
  }
  if (filled > 0) yield block.subarray(0, filled);
}

/** Deflates one block up to a byte border, so that the next can follow whoever finishes first. */
function deflateBlock(
  block: Uint8Array,
  level: number,
  dictionary: Uint8Array | undefined,
): Promise<Uint8Array> {
  const promise = new Promise<Uint8Array>((resolve, reject) => {
    const options = {
      level,
      finishFlush: constants.Z_SYNC_FLUSH,
      chunkSize: 256 * 1024,
      ...(dictionary === undefined ? {} : { dictionary }),
    };
    deflateRaw(block, options, (error, result) => (error ? reject(error) : resolve(result)));
  });
  // Awaited in order later; a failure before that must not count as unhandled.
  promise.catch(() => {});
  return promise;
}

/** RFC 1952 with no name, no time and no operating system, as Go's gzip writes it. */
function memberHeader(level: number): Uint8Array {
  const extra = level === 9 ? 2 : level === 1 ? 4 : 0;
  return Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, extra, 255);
}

/** An empty last block, then checksum and size. */
function trailer(sum: number, size: number): Uint8Array {
  const out = new Uint8Array(10);
  out.set([0x03, 0x00]);
  const view = new DataView(out.buffer);
  view.setUint32(2, sum, true);
  view.setUint32(6, size % 2 ** 32, true);
  return out;
}
