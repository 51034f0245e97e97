// Gzip on all cores: fixed-size blocks deflated in the thread pool, each with its predecessor's end as dictionary; noise is stored.
import { constants, crc32, deflateRaw } from "node:zlib";
import { type Bytes, concatBytes } from "../../base/index.ts";
import { findNoise } from "./noise.ts";

export interface GzipOptions {
  /** 1 (fast) to 9 (small); 6 where absent. */
  readonly level?: number;
  /** True, asked before each block, leaves most of the processors to others: blocks are deflated one after the other. */
  readonly atLeisure?: () => boolean;
}

const blockLength = 512 * 1024;
const windowLength = 32 * 1024;
/** Blocks under way at once: twice the thread pool's usual size, so that it never runs dry. */
const ahead = 8;
/** Longest stored block of deflate (RFC 1951, 3.2.4). */
const longestStored = 65_535;

/** One gzip member. The bytes depend on the input and the level only: not on chunking, and not on the number of cores. */
export async function* gzip(data: Bytes, options: GzipOptions = {}): Bytes {
  const level = options.level ?? 6;
  yield memberHeader(level);
  const running: Promise<Uint8Array>[] = [];
  let sum = 0;
  let size = 0;
  try {
    for await (const block of blocks(data)) {
      const bytes = block.window.subarray(block.start);
      sum = crc32(bytes, sum);
      size += bytes.length;
      running.push(packBlock(block, level));
      const limit = options.atLeisure?.() ? 0 : ahead;
      while (running.length > limit) yield* settled(running);
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

/** Bytes from `start` on, with what deflate may refer to before them. */
interface Block {
  readonly window: Uint8Array;
  readonly start: number;
}

/** Regroups chunks into blocks of exactly `blockLength` bytes; only the last may be shorter. */
async function* blocks(data: Bytes): AsyncIterable<Block> {
  let window = new Uint8Array(blockLength);
  let start = 0;
  let filled = 0;
  for await (const chunk of data) {
    for (let at = 0; at < chunk.length; ) {
      const length = Math.min(window.length - filled, chunk.length - at);
      window.set(chunk.subarray(at, at + length), filled);
      filled += length;
      at += length;
      if (filled < window.length) continue;
      yield { window, start };
      const before = window.subarray(-windowLength);
      window = new Uint8Array(windowLength + blockLength);
      window.set(before);
      start = windowLength;
      filled = start;
    }
  }
  if (filled > start) yield { window: window.subarray(0, filled), start };
}

/** Packs one block up to a byte border, so that the next can follow whoever finishes first. */
function packBlock({ window, start }: Block, level: number): Promise<Uint8Array> {
  const packed = findNoise(window, start).map((segment) => {
    const bytes = window.subarray(segment.start, segment.end);
    if (segment.noise) return storeBytes(bytes);
    const before = window.subarray(Math.max(0, segment.start - windowLength), segment.start);
    return deflateBytes(bytes, level, before);
  });
  const promise = Promise.all(packed).then(concatBytes);
  // Awaited in order later; a failure before that must not count as unhandled.
  promise.catch(() => {});
  return promise;
}

function deflateBytes(
  bytes: Uint8Array,
  level: number,
  dictionary: Uint8Array,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const options = {
      level,
      finishFlush: constants.Z_SYNC_FLUSH,
      chunkSize: Math.min(256 * 1024, bytes.length + 1024),
      ...(dictionary.length === 0 ? {} : { dictionary }),
    };
    deflateRaw(bytes, options, (error, result) => (error ? reject(error) : resolve(result)));
  });
}

/** The bytes as they are, up to a byte border like deflated ones; what follows can refer to them all the same. */
function storeBytes(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(bytes.length + 5 * Math.ceil(bytes.length / longestStored));
  const view = new DataView(out.buffer);
  let to = 0;
  for (let at = 0; at < bytes.length; at += longestStored) {
    const piece = bytes.subarray(at, at + longestStored);
    view.setUint16(to + 1, piece.length, true);
    view.setUint16(to + 3, ~piece.length & 0xffff, true);
    out.set(piece, to + 5);
    to += 5 + piece.length;
  }
  return out;
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
