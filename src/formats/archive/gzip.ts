// Gzip on all cores: fixed-size blocks deflated by threads, each with its predecessor's end as dictionary; noise is stored.
import { crc32 } from "node:zlib";
import type { Bytes } from "../../base/index.ts";
import { DeflateThreads, type OwnedBlock, type PackedBlock } from "./deflate-threads.ts";
import { windowLength } from "./pack-block.ts";

export interface TakenChunks {
  /** Told of each chunk when its bytes have been taken over: whoever made it may write to it again. */
  readonly taken?: ((chunk: Uint8Array) => void) | undefined;
}

export interface GzipOptions extends TakenChunks {
  /** 1 (fast) to 9 (small); 6 where absent. */
  readonly level?: number;
  /** True, asked before each block, leaves most of the processors to others: blocks are deflated one after the other. */
  readonly atLeisure?: () => boolean;
}

const blockLength = 512 * 1024;
/** Blocks under way at once, so that threads never run dry. */
const ahead = 8;

type Memory = OwnedBlock["window"];

/** One for all streams of the process: two layers at a time are no reason for twice as many threads. */
const threads = new DeflateThreads();

/** One gzip member. The bytes depend on the input and the level only: not on chunking, and not on the number of cores. */
export async function* gzip(data: Bytes, options: GzipOptions = {}): Bytes {
  const level = options.level ?? 6;
  yield memberHeader(level);
  const running: Promise<PackedBlock>[] = [];
  const spare: Memory[] = [];
  let sum = 0;
  let size = 0;
  try {
    for await (const block of blocks(data, spare, options.taken)) {
      const bytes = block.window.subarray(block.start);
      sum = crc32(bytes, sum);
      size += bytes.length;
      const packing = threads.pack(block, level);
      // Awaited in order later; a failure before that must not count as unhandled.
      packing.catch(() => {});
      running.push(packing);
      const limit = options.atLeisure?.() ? 0 : ahead;
      while (running.length > limit) yield* settled(running, spare);
    }
    while (running.length > 0) yield* settled(running, spare);
  } finally {
    await Promise.allSettled(running);
  }
  yield trailer(sum, size);
}

async function* settled(running: Promise<PackedBlock>[], spare: Memory[]): Bytes {
  const first = await running.shift();
  if (first === undefined) return;
  if (first.window.length === windowLength + blockLength) spare.push(first.window);
  if (first.packed.length > 0) yield first.packed;
}

/** Regroups chunks into blocks of exactly `blockLength` bytes; only the last may be shorter. Gives `spare` memory out again. */
async function* blocks(
  data: Bytes,
  spare: Memory[],
  taken: TakenChunks["taken"],
): AsyncIterable<OwnedBlock> {
  let window: Memory = new Uint8Array(blockLength);
  let start = 0;
  let filled = 0;
  for await (const chunk of data) {
    for (let at = 0; at < chunk.length; ) {
      const length = Math.min(window.length - filled, chunk.length - at);
      window.set(chunk.subarray(at, at + length), filled);
      filled += length;
      at += length;
      if (filled < window.length) continue;
      const next: Memory = spare.pop() ?? new Uint8Array(windowLength + blockLength);
      next.set(window.subarray(-windowLength));
      yield { window, start };
      window = next;
      start = windowLength;
      filled = start;
    }
    taken?.(chunk);
  }
  if (filled > start) yield { window: window.slice(0, filled), start };
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
