// What stands before the symbols of a bzip2 block: which bytes are in it, and how symbols are written.
import type { BitSource } from "./bunzip2-bits.ts";

/** Longest code of a symbol, in bits. */
const longestCode = 20;
/** Codes up to this length are found at once. */
const shortCode = 10;
/** More groups are in no block. */
const mostSelectors = 18_002;

/** Prefix codes of one table: shorter ones first, and among equals by symbol. */
export class SymbolTable {
  /** By the next ten bits: the symbol and its length, where that is enough. */
  readonly #short = new Uint16Array(1 << shortCode);
  /** By length: the first code behind those of that length, filled up to twenty bits. */
  readonly #ends = new Int32Array(longestCode + 1);
  /** By length: what has to be added to a code to have its place among all symbols. */
  readonly #offsets = new Int32Array(longestCode + 1);
  readonly #symbols: Uint16Array;

  constructor(lengths: Uint8Array) {
    const counts = new Int32Array(longestCode + 1);
    for (const length of lengths) counts[length] = (counts[length] ?? 0) + 1;
    this.#symbols = new Uint16Array(lengths.length);
    const starts = new Int32Array(longestCode + 1);
    let code = 0;
    let place = 0;
    for (let length = 1; length <= longestCode; length++) {
      const count = counts[length] ?? 0;
      this.#offsets[length] = place - code;
      starts[length] = place;
      code += count;
      place += count;
      this.#ends[length] = code * 2 ** (longestCode - length);
      code *= 2;
    }
    for (const [symbol, length] of lengths.entries()) {
      const at = starts[length] ?? 0;
      starts[length] = at + 1;
      this.#symbols[at] = symbol;
      const own = at - (this.#offsets[length] ?? 0);
      if (length > shortCode || own >= 1 << length) continue;
      const from = own << (shortCode - length);
      this.#short.fill((symbol << 5) | length, from, from + (1 << (shortCode - length)));
    }
  }

  /** -1 for bits that no symbol is written with. */
  next(bits: BitSource): number {
    const ahead = bits.peek(longestCode);
    const short = this.#short[ahead >>> (longestCode - shortCode)] ?? 0;
    if (short !== 0) {
      bits.skip(short & 31);
      return short >>> 5;
    }
    for (let length = 1; length <= longestCode; length++) {
      if (ahead >= (this.#ends[length] ?? 0)) continue;
      bits.skip(length);
      const place = (ahead >>> (longestCode - length)) + (this.#offsets[length] ?? 0);
      return this.#symbols[place] ?? -1;
    }
    bits.skip(longestCode);
    return -1;
  }
}

export interface BlockTables {
  /** Bytes of the block; they move to the front when they come. */
  readonly front: Uint8Array;
  /** Which table is for each group of symbols. */
  readonly selectors: Uint8Array;
  readonly tables: readonly SymbolTable[];
}

/** `damage` makes the error for what cannot be. */
export function readTables(bits: BitSource, damage: (why: string) => Error): BlockTables {
  const front = readBytes(bits);
  if (front.length === 0) throw damage("a block has no bytes");
  const count = bits.take(3);
  if (count < 2 || count > 6) throw damage("a block has an impossible number of tables");
  const selectors = readSelectors(bits, count, damage);
  const tables = Array.from({ length: count }, () => readTable(bits, front.length + 2, damage));
  return { front, selectors, tables };
}

/** Sixteen bits for sixteen ranges, and sixteen for each that has something. */
function readBytes(bits: BitSource): Uint8Array {
  const ranges = bits.take(16);
  const found: number[] = [];
  for (let range = 0; range < 16; range++) {
    if (((ranges >>> (15 - range)) & 1) === 0) continue;
    const members = bits.take(16);
    for (let at = 0; at < 16; at++)
      if (((members >>> (15 - at)) & 1) === 1) found.push(range * 16 + at);
  }
  return Uint8Array.from(found);
}

/** Each as how far back in a list it is that moves what was chosen to its front, counted in ones. */
function readSelectors(
  bits: BitSource,
  tables: number,
  damage: (why: string) => Error,
): Uint8Array {
  const count = bits.take(15);
  if (count === 0) throw damage("a block has no tables");
  const order = Uint8Array.from({ length: tables }, (_, table) => table);
  const selectors = new Uint8Array(Math.min(count, mostSelectors));
  for (let group = 0; group < count; group++) {
    let back = 0;
    while (bits.take(1) === 1) back++;
    const chosen = order[back];
    if (chosen === undefined) throw damage("a block names a table that it does not have");
    order.copyWithin(1, 0, back);
    order[0] = chosen;
    // Some programs write more than there can be groups: they are not used.
    if (group < selectors.length) selectors[group] = chosen;
  }
  return selectors;
}

/** Lengths of all symbols' codes, each as steps up or down from the one before. */
function readTable(bits: BitSource, symbols: number, damage: (why: string) => Error): SymbolTable {
  const lengths = new Uint8Array(symbols);
  let length = bits.take(5);
  for (let symbol = 0; symbol < symbols; symbol++) {
    for (;;) {
      if (length < 1 || length > longestCode) throw damage("a code has an impossible length");
      if (bits.take(1) === 0) break;
      length += bits.take(1) === 0 ? 1 : -1;
    }
    lengths[symbol] = length;
  }
  return new SymbolTable(lengths);
}
