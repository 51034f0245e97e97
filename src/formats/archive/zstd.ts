// Zstandard (RFC 8878): frames of fixed-size blocks packed side by side, and reading what anybody made.
import { Transform } from "node:stream";
import * as zlib from "node:zlib";
import { type Bytes, KilnError } from "../../base/index.ts";
import type { TakenChunks } from "./gzip.ts";
import { type ZstdDecoder, type ZstdEncoder, zstdLibrary } from "./zstd-library.ts";

/** What Node 22.15 and later have; the types are those of Node 20. */
interface ZstdSupport {
  readonly zstdCompress?: (
    data: Uint8Array,
    options: { readonly params: Readonly<Record<number, number>> },
    done: (error: Error | null, packed: Uint8Array) => void,
  ) => void;
  readonly createZstdDecompress?: (options: object) => Transform;
}
const { zstdCompress, createZstdDecompress } = zlib as typeof zlib & ZstdSupport;

/** ZSTD_c_compressionLevel and ZSTD_d_windowLogMax of zstd.h. */
const levelParameter = 100;
const windowLogParameter = 100;
/** What zstd itself calls its default, as does the reference. */
const usualLevel = 3;
/** Larger than the window of the usual levels, so that a border costs next to nothing. */
const blockLength = 8 * 1024 * 1024;
/** Blocks under way at once. */
const ahead = 4;
const chunkSize = 256 * 1024;

/** True where zstd can be written and read here: Node 22.15, or koffi with the system's libzstd. */
export function hasZstd(): boolean {
  return zstdCompress !== undefined || zstdLibrary() !== undefined;
}

export interface ZstdOptions extends TakenChunks {
  /** 1 (fast) to 22 (small); 3 where absent or 0. */
  readonly level?: number;
  /** True, asked before each block, leaves most of the processors to others: blocks are packed one after the other. */
  readonly atLeisure?: () => boolean;
}

/** Where a block is gathered and packed. Used again and again: memory new to the process costs as much as packing fast does. */
interface Bench {
  readonly memory: Uint8Array<ArrayBuffer>;
  readonly encode: ZstdEncoder["encode"];
}

/** A block that is being packed. */
interface Running {
  readonly bench: Bench;
  readonly packing: Promise<Uint8Array>;
}

/**
 * Frames of 8 MiB each, one after the other. The bytes depend on the input, the level and the version of libzstd: not on
 * chunking, and not on the number of cores. Throws `UNSUPPORTED` where `hasZstd` is false.
 */
export async function* zstd(data: Bytes, options: ZstdOptions = {}): Bytes {
  const level = options.level || usualLevel;
  const running: Running[] = [];
  const spare: Bench[] = [];
  let any = false;
  try {
    for await (const { bench, length } of blocks(data, spare, options.taken)) {
      any = true;
      const packing = bench.encode(bench.memory.subarray(0, length), level);
      packing.catch(() => {});
      running.push({ bench, packing });
      const limit = options.atLeisure?.() ? 0 : ahead;
      while (running.length > limit) yield* settled(running, spare);
    }
    // Nothing at all is a frame too.
    if (!any) yield await newBench(0).encode(new Uint8Array(0), level);
    while (running.length > 0) yield* settled(running, spare);
  } finally {
    await Promise.allSettled(running.map(({ packing }) => packing));
  }
}

async function* settled(running: Running[], spare: Bench[]): Bytes {
  const first = running[0];
  if (first === undefined) return;
  const packed = await first.packing;
  running.shift();
  spare.push(first.bench);
  yield packed;
}

function newBench(length: number): Bench {
  return {
    memory: new Uint8Array(length),
    encode: zstdCompress ? encodeHere : library().encoder().encode,
  };
}

function encodeHere(data: Uint8Array, level: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) =>
    zstdCompress?.(data, { params: { [levelParameter]: level } }, (error, packed) =>
      error ? reject(error) : resolve(packed),
    ),
  );
}

function library() {
  const found = zstdLibrary();
  if (found) return found;
  throw new KilnError(
    "UNSUPPORTED",
    `zstd needs Node 22.15, or the system's libzstd: this is Node ${process.versions.node}`,
    { hint: "Install libzstd1, or use compression=gzip." },
  );
}

async function* blocks(
  data: Bytes,
  spare: Bench[],
  taken: TakenChunks["taken"],
): AsyncIterable<{ readonly bench: Bench; readonly length: number }> {
  let bench: Bench | undefined;
  let filled = 0;
  for await (const chunk of data) {
    for (let at = 0; at < chunk.length; ) {
      bench ??= spare.pop() ?? newBench(blockLength);
      const length = Math.min(blockLength - filled, chunk.length - at);
      bench.memory.set(chunk.subarray(at, at + length), filled);
      filled += length;
      at += length;
      if (filled < blockLength) continue;
      yield { bench, length: filled };
      bench = undefined;
      filled = 0;
    }
    taken?.(chunk);
  }
  if (bench) yield { bench, length: filled };
}

/** A stream that unpacks any number of frames. Windows above 2^`windowLog` bytes are refused; damage has a `ZSTD_` code. */
export function createZstdDecoder(windowLog: number): Transform {
  if (createZstdDecompress)
    return createZstdDecompress({ chunkSize, params: { [windowLogParameter]: windowLog } });
  return new LibraryDecoder(library().decoder(windowLog));
}

class LibraryDecoder extends Transform {
  readonly #decoder: ZstdDecoder;
  #inFrame = false;

  constructor(decoder: ZstdDecoder) {
    super({ readableHighWaterMark: chunkSize });
    this.#decoder = decoder;
  }

  override _transform(chunk: Uint8Array, _encoding: string, done: (error?: Error) => void): void {
    this.#unpack(chunk).then(() => done(), done);
  }

  override _flush(done: (error?: Error) => void): void {
    const error = Object.assign(new Error("unexpected end of frame"), { code: "ZSTD_error" });
    done(this.#inFrame ? error : undefined);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#decoder[Symbol.dispose]();
    done(error);
  }

  async #unpack(chunk: Uint8Array): Promise<void> {
    let at = 0;
    for (let full = true; at < chunk.length || full; ) {
      const output = new Uint8Array(chunkSize);
      const { taken, given, frameEnded } = await this.#decoder.decode(chunk, at, output);
      if (this.destroyed) return;
      at += taken;
      full = given === output.length;
      this.#inFrame = !frameEnded;
      if (given > 0) this.push(output.subarray(0, given));
      if (taken === 0 && given === 0) return;
    }
  }
}
