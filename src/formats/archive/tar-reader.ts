// Streaming tar reader: ustar, pax, GNU long names, base-256 numbers, sparse files of all four kinds.
import { type Bytes, type Call, concatBytes, throwIfAborted } from "../../base/index.ts";
import { parsePax } from "./pax.ts";
import {
  isZeroBlock,
  parseHeader,
  storedSize,
  type TarExtensions,
  verifyChecksum,
} from "./tar-block.ts";
import { blockSize, fields, invalidArchive } from "./tar-format.ts";
import type { TarHeader, TarLimits, TarSink } from "./tar-header.ts";
import {
  checkRuns,
  createDataMap,
  type DataMap,
  hasMapInData,
  maxExtensionSize,
  parseOldSparse,
  parsePaxSparse,
  type SparseRun,
} from "./tar-sparse.ts";

/** Far above real layers, far below what fills a disk with inodes or a day with unpacking. */
const defaultTarLimits: TarLimits = { entries: 5_000_000, bytes: 256 * 1024 ** 3 };

/** Feeds every entry of the uncompressed archive `data` to `sink`. Throws `ARCHIVE_INVALID` on damage or excess. */
export async function readTar(
  data: Bytes,
  sink: TarSink,
  call: Call,
  limits?: TarLimits,
): Promise<void> {
  const parser = createTarParser(sink, limits);
  for await (const chunk of data) {
    throwIfAborted(call);
    parser.push(chunk);
  }
  parser.finish();
}

/** The reader for those who have the chunks at hand: `push` all of them in order, then `finish`. */
export interface TarParser {
  push(chunk: Uint8Array): void;
  finish(): void;
}

/** What the parser is in the midst of. */
type State =
  | { readonly at: "header" }
  | {
      readonly at: "extension";
      readonly flag: string;
      readonly size: number;
      readonly parts: Uint8Array[];
      have: number;
    }
  | {
      readonly at: "old-sparse";
      readonly block: Uint8Array;
      readonly runs: SparseRun[];
      blocks: number;
    }
  | {
      readonly at: "data-map";
      readonly header: TarHeader;
      readonly stored: number;
      readonly map: DataMap;
    }
  | {
      readonly at: "data";
      readonly runs: readonly SparseRun[] | undefined;
      run: number;
      done: number;
      left: number;
      readonly size: number;
    }
  | { readonly at: "padding"; left: number }
  | { readonly at: "end" };

/** A parser that hands everything to `sink` while `push` runs. */
export function createTarParser(sink: TarSink, limits: TarLimits = defaultTarLimits): TarParser {
  return new StreamingTarParser(sink, limits);
}

class StreamingTarParser implements TarParser {
  readonly #sink: TarSink;
  readonly #limits: TarLimits;
  readonly #block = new Uint8Array(blockSize);
  #filled = 0;
  #state: State = { at: "header" };
  #extensions: TarExtensions = {};
  #extensionSize = 0;
  #zeroBlocks = 0;
  #entries = 0;
  #bytes = 0;

  constructor(sink: TarSink, limits: TarLimits) {
    this.#sink = sink;
    this.#limits = limits;
  }

  push(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; ) {
      const state = this.#state;
      if (state.at === "end") return;
      if (state.at === "header" || state.at === "old-sparse") at += this.#takeBlock(chunk, at);
      else if (state.at === "data") at += this.#takeData(state, chunk, at);
      else if (state.at === "extension") at += this.#takeExtension(state, chunk, at);
      else if (state.at === "data-map") at += this.#takeDataMap(state, chunk, at);
      else {
        const length = Math.min(state.left, chunk.length - at);
        state.left -= length;
        at += length;
        if (state.left === 0) this.#state = { at: "header" };
      }
    }
  }

  finish(): void {
    const { at } = this.#state;
    // The two zero blocks may be missing, as Go and GNU accept; a half entry may not.
    const clean =
      at === "end" || (at === "header" && this.#filled === 0 && this.#extensionSize === 0);
    if (!clean) throw invalidArchive("it ends in the middle of an entry");
  }

  #takeBlock(chunk: Uint8Array, at: number): number {
    if (this.#filled === 0 && chunk.length - at >= blockSize) {
      this.#onBlock(chunk, at);
      return blockSize;
    }
    const length = Math.min(blockSize - this.#filled, chunk.length - at);
    this.#block.set(chunk.subarray(at, at + length), this.#filled);
    this.#filled += length;
    if (this.#filled === blockSize) {
      this.#filled = 0;
      this.#onBlock(this.#block, 0);
    }
    return length;
  }

  #onBlock(block: Uint8Array, at: number): void {
    const state = this.#state;
    if (state.at === "old-sparse") {
      state.runs.push(...parseOldSparse(block, at, 21));
      state.blocks++;
      if (state.blocks * blockSize > maxExtensionSize)
        throw invalidArchive("a sparse map is too long");
      if (block[at + 504] === 0) this.#begin(state.block, 0, state.runs);
      return;
    }
    if (isZeroBlock(block, at)) {
      this.#zeroBlocks++;
      if (this.#zeroBlocks === 2) this.#state = { at: "end" };
      return;
    }
    if (this.#zeroBlocks > 0) throw invalidArchive("a header follows the end mark");
    verifyChecksum(block, at);
    if (++this.#entries > this.#limits.entries) {
      throw invalidArchive(`it has more than ${this.#limits.entries} entries`);
    }
    this.#onHeader(block, at);
  }

  #onHeader(block: Uint8Array, at: number): void {
    const flag = String.fromCharCode(block[at + fields.typeflag[0]] ?? 0);
    if (flag === "x" || flag === "g" || flag === "L" || flag === "K") {
      const size = storedSize(block, at, undefined);
      this.#extensionSize += size;
      if (this.#extensionSize > maxExtensionSize)
        throw invalidArchive("an extended header is too long");
      this.#state = { at: "extension", flag, size, parts: [], have: 0 };
      if (size === 0) this.#onExtension(flag, new Uint8Array());
    } else if (flag === "S") {
      const runs = parseOldSparse(block, at + 386, 4);
      if (block[at + 482] === 0) this.#begin(block, at, runs);
      else
        this.#state = { at: "old-sparse", block: block.slice(at, at + blockSize), runs, blocks: 0 };
    } else {
      this.#begin(block, at, undefined);
    }
  }

  #takeExtension(state: State & { at: "extension" }, chunk: Uint8Array, at: number): number {
    const length = Math.min(state.size - state.have, chunk.length - at);
    state.parts.push(chunk.slice(at, at + length));
    state.have += length;
    if (state.have === state.size) this.#onExtension(state.flag, concatBytes(state.parts));
    return length;
  }

  #onExtension(flag: string, body: Uint8Array): void {
    if (flag === "x") this.#extensions.pax = parsePax(body);
    else if (flag === "L") this.#extensions.longName = untilNul(body);
    else if (flag === "K") this.#extensions.longLink = untilNul(body);
    // Global records ("g") are not applied: neither Go's reader nor containerd does.
    this.#skipPadding(body.length);
  }

  /** All of the entry's headers have been read. */
  #begin(block: Uint8Array, at: number, oldRuns: SparseRun[] | undefined): void {
    const { pax } = this.#extensions;
    const size = storedSize(block, at, pax);
    let header = parseHeader(block, at, this.#extensions, size);
    if (oldRuns !== undefined) header = { ...header, size: realSize(block, at) };
    const runs = oldRuns ?? (pax === undefined ? undefined : parsePaxSparse(pax));
    this.#extensions = {};
    this.#extensionSize = 0;
    // Links, directories and devices have no contents, whatever their size field says.
    const stored = header.type === "file" ? size : 0;
    if (header.type === "file" && pax !== undefined && hasMapInData(pax)) {
      this.#state = { at: "data-map", header, stored, map: createDataMap() };
      if (stored === 0) throw invalidArchive("a sparse map is missing");
      return;
    }
    this.#startData(header, runs, stored);
  }

  #takeDataMap(state: State & { at: "data-map" }, chunk: Uint8Array, at: number): number {
    const { map } = state;
    const length = Math.min(
      blockSize - (map.have % blockSize),
      state.stored - map.have,
      chunk.length - at,
    );
    map.push(chunk.slice(at, at + length));
    const whole = map.have % blockSize === 0 || map.have === state.stored;
    const runs = whole ? map.runs() : undefined;
    if (runs !== undefined) this.#startData(state.header, runs, state.stored - map.have);
    else if (map.have === state.stored) throw invalidArchive("a sparse map is malformed");
    return length;
  }

  #startData(header: TarHeader, runs: readonly SparseRun[] | undefined, left: number): void {
    if (runs !== undefined) checkRuns(runs, left, header.size);
    this.#bytes += header.size;
    if (this.#bytes > this.#limits.bytes)
      throw invalidArchive(`its files take more than ${this.#limits.bytes} bytes`);
    this.#sink.entry(header);
    this.#state = { at: "data", runs, run: 0, done: 0, left, size: left };
    if (left === 0) this.#endData(0);
  }

  #takeData(state: State & { at: "data" }, chunk: Uint8Array, at: number): number {
    let length = Math.min(state.left, chunk.length - at);
    let position = state.done;
    if (state.runs !== undefined) {
      let run = state.runs[state.run];
      while (run !== undefined && state.done === run.length) {
        state.done = 0;
        run = state.runs[++state.run];
      }
      if (run === undefined) throw invalidArchive("a sparse map does not fit its file");
      length = Math.min(length, run.length - state.done);
      position = run.position + state.done;
    }
    this.#sink.data(chunk.subarray(at, at + length), position);
    state.done += length;
    state.left -= length;
    if (state.left === 0) this.#endData(state.size);
    return length;
  }

  #endData(size: number): void {
    this.#sink.end();
    this.#skipPadding(size);
  }

  #skipPadding(size: number): void {
    const left = (blockSize - (size % blockSize)) % blockSize;
    this.#state = left === 0 ? { at: "header" } : { at: "padding", left };
  }
}

function realSize(block: Uint8Array, at: number): number {
  return storedSize(block.subarray(at + 483 - fields.size[0]), 0, undefined);
}

function untilNul(bytes: Uint8Array): Uint8Array {
  const end = bytes.indexOf(0);
  return end === -1 ? bytes : bytes.subarray(0, end);
}
