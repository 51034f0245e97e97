// Header blocks to fields (RFC 7541).
import { Buffer } from "node:buffer";
import { defaultHeaderTableSize, errorCodes, type Fields, Http2Error } from "../protocol.ts";
import { DynamicTable, entryOverhead } from "./dynamic-table.ts";
import { decodeHuffman } from "./huffman.ts";
import { staticTable } from "./static-table.ts";

/** No number of a header block is larger than so; nothing that it could count is. */
const largestNumber = 2 ** 28;

/** One for each connection and direction: what a block says depends on those before it. */
export class HpackDecoder {
  readonly #tableLimit: number;
  readonly #listLimit: number;
  readonly #table: DynamicTable;
  #block: Uint8Array = new Uint8Array();
  #at = 0;

  /** `listLimit` is MAX_HEADER_LIST_SIZE, in bytes, `tableLimit` HEADER_TABLE_SIZE. */
  constructor(listLimit: number, tableLimit: number = defaultHeaderTableSize) {
    this.#listLimit = listLimit;
    this.#tableLimit = tableLimit;
    this.#table = new DynamicTable(tableLimit);
  }

  get tableSize(): number {
    return this.#table.size;
  }

  /**
   * Undefined where the fields are larger together than the limit: the block counts for those that come after it all the same.
   * Throws COMPRESSION_ERROR for what is no header block.
   */
  decode(block: Uint8Array): Fields | undefined {
    this.#block = block;
    this.#at = 0;
    const fields: string[] = [];
    let size = 0;
    while (this.#at < block.length) {
      const first = block[this.#at] as number;
      if ((first & 0xe0) === 0x20) {
        if (size > 0) throw broken("a new table size after fields");
        this.#resize(this.#number(5));
        continue;
      }
      const [name, value] = this.#field(first);
      size += name.length + value.length + entryOverhead;
      if (size <= this.#listLimit) fields.push(name, value);
    }
    this.#block = new Uint8Array();
    return size <= this.#listLimit ? fields : undefined;
  }

  #field(first: number): readonly [name: string, value: string] {
    if (first & 0x80) return this.#entry(this.#number(7));
    const kept = (first & 0x40) !== 0;
    const index = this.#number(kept ? 6 : 4);
    const name = index === 0 ? this.#text() : this.#entry(index)[0];
    const value = this.#text();
    if (kept) this.#table.add(name, value);
    return [name, value];
  }

  #resize(limit: number): void {
    if (limit > this.#tableLimit) throw broken(`a table size of ${limit}`);
    this.#table.resize(limit);
  }

  #entry(index: number): readonly [name: string, value: string] {
    const known = index <= staticTable.length ? staticTable[index - 1] : undefined;
    const entry = known ?? this.#table.get(index - staticTable.length - 1);
    if (index === 0 || !entry) throw broken(`field number ${index}, which nobody has`);
    return entry;
  }

  /** A number whose first part is the low `bits` of the next byte (RFC 7541, 5.1). */
  #number(bits: number): number {
    const full = 2 ** bits - 1;
    let value = this.#byte() & full;
    if (value < full) return value;
    for (let scale = 1; ; scale *= 0x80) {
      const byte = this.#byte();
      value += (byte & 0x7f) * scale;
      if (value > largestNumber || scale > largestNumber) throw broken("a number without measure");
      if (byte < 0x80) return value;
    }
  }

  #text(): string {
    const coded = ((this.#block[this.#at] ?? 0) & 0x80) !== 0;
    const length = this.#number(7);
    const end = this.#at + length;
    if (end > this.#block.length) throw broken("a text that is cut off");
    const bytes = this.#block.subarray(this.#at, end);
    this.#at = end;
    if (!coded) return Buffer.from(bytes.buffer, bytes.byteOffset, length).toString("latin1");
    const text = decodeHuffman(bytes);
    if (text === undefined) throw broken("a text that is wrongly coded");
    return text;
  }

  #byte(): number {
    const byte = this.#block[this.#at++];
    if (byte === undefined) throw broken("a field that is cut off");
    return byte;
  }
}

function broken(what: string): Http2Error {
  return new Http2Error(errorCodes.COMPRESSION_ERROR, `malformed header block: ${what}`);
}
