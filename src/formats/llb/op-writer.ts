// Writes the protobuf messages of ops, one after the other, into memory that they share: ops are many and small.

const encoder = new TextEncoder();

/** Strings up to this length are written character by character, which is faster than a call of the encoder. */
const SHORT = 1024;

/** Memory is taken in pieces that grow between these sizes, in bytes: a small definition takes little. */
const FIRST_PIECE: number = 16 * 1024;
const LAST_PIECE: number = 256 * 1024;

/**
 * Writes one message at a time, field by field, in the order in which fields are to stand. Fields that have their
 * default value are left out, as proto3 has it.
 */
export class OpWriter {
  #memory: Uint8Array = new Uint8Array(FIRST_PIECE);
  /** Where the message begins that is being written, and how far it is. */
  #start = 0;
  #at = 0;
  /** Where the lengths of open messages stand. */
  readonly #open: number[] = [];

  /** The finished message, which nothing writes to any more; the next one begins. */
  take(): Uint8Array {
    const message = this.#memory.subarray(this.#start, this.#at);
    this.#start = this.#at;
    return message;
  }

  /** Begins a message in a field; it is there even when nothing is written to it. */
  begin(field: number): void {
    this.#reserve(6);
    this.#tag(field, LENGTH);
    // Its length is not known yet: one byte is mostly enough.
    this.#open.push(this.#at++);
  }

  /** Ends the message that was begun last. */
  end(): void {
    // The longest length has five bytes; making room may move the message.
    this.#reserve(4);
    const at = this.#open.pop();
    if (at === undefined) throw new Error("a message ends that did not begin");
    const size = this.#at - at - 1;
    if (size > 0x7f) {
      let extra = 0;
      for (let rest = size >>> 7; rest > 0; rest >>>= 7) extra++;
      this.#memory.copyWithin(at + 1 + extra, at + 1, this.#at);
    }
    this.#at = at;
    this.#varint(size);
    this.#at += size;
  }

  text(field: number, value: string): void {
    if (value !== "") this.#text(field, value);
  }

  /** A field that repeats: empty values are written too. */
  texts(field: number, values: readonly string[] | undefined): void {
    if (values !== undefined) for (const value of values) this.#text(field, value);
  }

  bytes(field: number, value: Uint8Array): void {
    if (value.length > 0) this.#bytes(field, value);
  }

  flag(field: number, value: boolean | undefined): void {
    if (value !== true) return;
    this.#reserve(6);
    this.#tag(field, VARINT);
    this.#memory[this.#at++] = 1;
  }

  /** An integer of any of the types that are written as varints. */
  number(field: number, value: number | bigint): void {
    if (value === 0 || value === 0n) return;
    this.#reserve(15);
    this.#tag(field, VARINT);
    this.#integer(value);
  }

  /** A field that is written even when it is 0: a member of a oneof. */
  chosenNumber(field: number, value: number): void {
    this.#reserve(15);
    this.#tag(field, VARINT);
    this.#integer(value);
  }

  /** A field that repeats, packed. */
  numbers(field: number, values: readonly number[] | undefined): void {
    if (values === undefined || values.length === 0) return;
    this.begin(field);
    for (const value of values) {
      this.#reserve(10);
      this.#integer(value);
    }
    this.end();
  }

  #integer(value: number | bigint): void {
    if (typeof value === "number" && value >= 0 && value <= 0xffffffff) {
      this.#varint(value);
      return;
    }
    if (value === -1 || value === -1n) {
      // "None", and by far the most frequent.
      this.#memory.fill(0xff, this.#at, this.#at + 9);
      this.#at += 9;
      this.#memory[this.#at++] = 1;
      return;
    }
    let rest = BigInt.asUintN(64, BigInt(value));
    for (; rest > 0x7fn; rest >>= 7n) this.#memory[this.#at++] = Number(rest & 0x7fn) | 0x80;
    this.#memory[this.#at++] = Number(rest);
  }

  #text(field: number, value: string): void {
    const { length } = value;
    this.#reserve(length + 10);
    const start = this.#at;
    this.#tag(field, LENGTH);
    this.#varint(length);
    if (length <= SHORT && this.#ascii(value)) return;
    this.#at = start;
    this.#bytes(field, encoder.encode(value));
  }

  #bytes(field: number, value: Uint8Array): void {
    this.#reserve(value.length + 10);
    this.#tag(field, LENGTH);
    this.#varint(value.length);
    this.#memory.set(value, this.#at);
    this.#at += value.length;
  }

  /** False where a character needs more than one byte. */
  #ascii(value: string): boolean {
    const memory = this.#memory;
    let to = this.#at;
    for (let at = 0; at < value.length; at++) {
      const char = value.charCodeAt(at);
      if (char > 0x7f) return false;
      memory[to++] = char;
    }
    this.#at = to;
    return true;
  }

  #tag(field: number, type: number): void {
    this.#varint((field << 3) | type);
  }

  #varint(value: number): void {
    let rest = value >>> 0;
    for (; rest > 0x7f; rest >>>= 7) this.#memory[this.#at++] = (rest & 0x7f) | 0x80;
    this.#memory[this.#at++] = rest;
  }

  /** Makes room; a message that has begun moves to the new piece of memory. */
  #reserve(count: number): void {
    if (this.#at + count <= this.#memory.length) return;
    const begun = this.#memory.subarray(this.#start, this.#at);
    const size = Math.min(this.#memory.length * 2, LAST_PIECE);
    const memory = new Uint8Array(Math.max(size, (begun.length + count) * 2));
    memory.set(begun);
    for (const [index, at] of this.#open.entries()) this.#open[index] = at - this.#start;
    this.#memory = memory;
    this.#at = begun.length;
    this.#start = 0;
  }
}

/** Wire types (protobuf.dev, "Encoding"). */
const VARINT = 0;
const LENGTH = 2;
