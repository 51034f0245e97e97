// Undoing bzip2 in this process: blocks that were sorted by what follows each byte, one after the other.
import { type Bytes, concatBytes, KilnError } from "../../base/index.ts";
import { BitSource, OutOfBits } from "./bunzip2-bits.ts";
import { readTables, type SymbolTable } from "./bunzip2-tables.ts";

const blockMagic = 0x314159265359;
const endMagic = 0x177245385090;

/** What a stream says of block sizes is this many bytes times a digit. */
const blockUnit = 100_000;
/** Symbols that are decoded with one table before the next is chosen. */
const groupSize = 50;
/** Bytes that are handed on at a time. */
const chunkSize = 256 * 1024;
/** Compressed bytes that are waited for before a block is begun: most blocks are complete then. */
const firstWindow = 1_200_000;
/** No block is larger, whatever is in it: 900,001 symbols of 20 bits, and tables. */
const largestWindow = 4_000_000;

/** The contents of `data`, one or more streams. Throws `ARCHIVE_INVALID` for damage; `what` names it. */
export async function* bunzip2(data: Bytes, what: string): Bytes {
  const input = new Input(data);
  try {
    let sum = 0;
    let level = await input.decode((bits) => readStart(bits));
    if (level === undefined) throw damage("it is empty");
    for (;;) {
      const size = level * blockUnit;
      const next = await input.decode((bits) => readPart(bits, size));
      if (next === undefined) throw new OutOfBits();
      if ("end" in next) {
        if (next.end !== sum) throw damage("its checksum is wrong");
        sum = 0;
        level = await input.decode((bits) => readStart(bits));
        if (level === undefined) return;
      } else {
        let found = 0xffffffff;
        for (const chunk of unsorted(next)) {
          found = checksum(found, chunk);
          yield chunk;
        }
        if (~found >>> 0 !== next.sum) throw damage("its checksum is wrong");
        sum = (((sum << 1) | (sum >>> 31)) ^ next.sum) >>> 0;
      }
    }
  } catch (error) {
    if (error instanceof OutOfBits) throw invalid(what, "it ends too early");
    throw error instanceof Damage ? invalid(what, error.message) : error;
  } finally {
    await input.close();
  }
}

class Damage extends Error {}

function damage(why: string): Damage {
  return new Damage(why);
}

function invalid(what: string, why: string): KilnError {
  return new KilnError("ARCHIVE_INVALID", `${what} is damaged: ${why}`);
}

/** Compressed bytes, kept until what they are part of has been decoded. */
class Input {
  readonly #source: AsyncIterator<Uint8Array>;
  #bytes: Uint8Array = new Uint8Array();
  #bit = 0;
  #ended = false;

  constructor(data: Bytes) {
    this.#source = data[Symbol.asyncIterator]();
  }

  /**
   * What `read` reads next; it is called again with more where bytes were lacking. Undefined at the end of all bytes; throws
   * `OutOfBits` where they end too early.
   */
  async decode<T>(read: (bits: BitSource) => T): Promise<T | undefined> {
    for (let wanted = firstWindow; ; wanted *= 2) {
      await this.#fill(Math.min(wanted, largestWindow));
      if (this.#bytes.length === 0) return undefined;
      const bits = new BitSource(this.#bytes, this.#bit);
      try {
        const result = read(bits);
        const used = bits.position;
        this.#bytes = this.#bytes.subarray(used >>> 3);
        this.#bit = used & 7;
        return result;
      } catch (error) {
        if (!(error instanceof OutOfBits) || this.#ended || wanted >= largestWindow) throw error;
      }
    }
  }

  async close(): Promise<void> {
    if (!this.#ended) await this.#source.return?.();
  }

  async #fill(wanted: number): Promise<void> {
    const parts = [this.#bytes];
    let length = this.#bytes.length;
    while (length < wanted && !this.#ended) {
      const next = await this.#source.next();
      if (next.done === true) this.#ended = true;
      else {
        parts.push(next.value);
        length += next.value.length;
      }
    }
    if (parts.length > 1) this.#bytes = concatBytes(parts);
  }
}

/** `BZh` and a digit, at the beginning of a byte. Answers the digit. */
function readStart(bits: BitSource): number {
  bits.align();
  if (bits.isAtEnd) throw new OutOfBits();
  if (bits.take(24) !== 0x425a68) throw damage("it is not bzip2 all the way");
  const level = bits.take(8) - 0x30;
  if (level < 1 || level > 9) throw damage(`its block size is none`);
  return level;
}

interface Block {
  readonly sum: number;
  /** Low byte: bytes by what follows them. Above it: where the next one is. */
  readonly links: Uint32Array;
  readonly length: number;
  readonly start: number;
}

function readPart(bits: BitSource, size: number): Block | { readonly end: number } {
  const magic = bits.take(24) * 0x1000000 + bits.take(24);
  const sum = bits.take(16) * 0x10000 + bits.take(16);
  if (magic === endMagic) {
    bits.align();
    return { end: sum };
  }
  if (magic !== blockMagic) throw damage("what begins a block is missing");
  if (bits.take(1) === 1) throw damage("it is of a kind that no bzip2 since 1997 writes");
  const start = bits.take(24);
  const links = new Uint32Array(size);
  const counts = new Uint32Array(256);
  const length = readSorted(bits, links, counts);
  if (start >= length) throw damage("a block begins outside itself");
  link(links, counts, length);
  return { sum, links, length, start };
}

/** The sorted bytes into the low bytes of `into`; answers how many there are. */
function readSorted(bits: BitSource, into: Uint32Array, counts: Uint32Array): number {
  const tables = readTables(bits, damage);
  const { front, selectors } = tables;
  const endOfBlock = front.length + 1;
  let length = 0;
  let run = 0;
  let weight = 1;
  let left = 0;
  let group = 0;
  let table = tables.tables[0] as SymbolTable;
  for (;;) {
    if (left === 0) {
      const selected = tables.tables[selectors[group++] ?? -1];
      if (!selected) throw damage("a block has too few tables");
      table = selected;
      left = groupSize;
    }
    left--;
    const symbol = table.next(bits);
    if (symbol < 0) throw damage("there is no such symbol");
    // The first two are digits of how often the front byte comes again.
    if (symbol < 2) {
      run += weight << symbol;
      weight <<= 1;
      if (run > into.length) throw damage("a block is too large");
      continue;
    }
    if (run > 0) {
      const byte = front[0] ?? 0;
      if (length + run > into.length) throw damage("a block is too large");
      into.fill(byte, length, length + run);
      counts[byte] = (counts[byte] ?? 0) + run;
      length += run;
      run = 0;
      weight = 1;
    }
    if (symbol === endOfBlock) return length;
    const at = symbol - 1;
    const byte = front[at] ?? 0;
    front.copyWithin(1, 0, at);
    front[0] = byte;
    if (length >= into.length) throw damage("a block is too large");
    into[length++] = byte;
    counts[byte] = (counts[byte] ?? 0) + 1;
  }
}

/** Notes in each place where the byte is that comes after it. */
function link(links: Uint32Array, counts: Uint32Array, length: number): void {
  let sum = 0;
  for (let byte = 0; byte < 256; byte++) {
    const count = counts[byte] ?? 0;
    counts[byte] = sum;
    sum += count;
  }
  for (let at = 0; at < length; at++) {
    const byte = (links[at] ?? 0) & 255;
    const place = counts[byte] ?? 0;
    counts[byte] = place + 1;
    links[place] = (links[place] ?? 0) | (at << 8);
  }
}

/** A block's bytes in their own order. Four alike are followed by how many more there are. */
function* unsorted({ links, length, start }: Block): Iterable<Uint8Array> {
  let chunk = new Uint8Array(chunkSize);
  let filled = 0;
  let alike = 0;
  let last = -1;
  let place = (links[start] ?? 0) >>> 8;
  for (let at = 0; at < length; at++) {
    const entry = links[place] ?? 0;
    const byte = entry & 255;
    place = entry >>> 8;
    let times = 1;
    if (alike === 4) {
      times = byte;
      alike = 0;
    } else if (byte === last) alike++;
    else {
      last = byte;
      alike = 1;
    }
    if (filled + times > chunkSize) {
      yield chunk.subarray(0, filled);
      chunk = new Uint8Array(chunkSize);
      filled = 0;
    }
    if (times === 1) chunk[filled] = last;
    else chunk.fill(last, filled, filled + times);
    filled += times;
  }
  if (filled > 0) yield chunk.subarray(0, filled);
}

let sums: Uint32Array | undefined;

/** CRC-32 with the highest bit first. */
function checksum(before: number, data: Uint8Array): number {
  sums ??= Uint32Array.from({ length: 256 }, (_, byte) => {
    let sum = byte << 24;
    for (let bit = 0; bit < 8; bit++) sum = sum < 0 ? (sum << 1) ^ 0x04c11db7 : sum << 1;
    return sum >>> 0;
  });
  let sum = before;
  for (const byte of data) sum = (sum << 8) ^ (sums[((sum >>> 24) ^ byte) & 255] ?? 0);
  return sum;
}
