// Writes protobuf into one growing buffer: ops are many and made of many short strings.
import type { BinaryWriter } from "@bufbuild/protobuf/wire";

const encoder = new TextEncoder();

/** Strings up to this length are written character by character, which is faster than a call of the encoder. */
const SHORT = 1024;

/** What the generated encoders ask of a writer. `finish` gives a copy and makes the writer empty again. */
class OpWriter {
  #buffer: Uint8Array = new Uint8Array(4096);
  #length = 0;
  readonly #forks: number[] = [];

  finish(): Uint8Array {
    const bytes = this.#buffer.slice(0, this.#length);
    this.#length = 0;
    return bytes;
  }

  uint32(value: number): this {
    this.#reserve(5);
    this.#varint(value);
    return this;
  }

  int32(value: number): this {
    return this.int64(value);
  }

  int64(value: number | bigint | string): this {
    const number = Number(value);
    if (number >= 0 && number <= 0xffffffff) return this.uint32(number);
    this.#reserve(10);
    if (number === -1) {
      // "None", and by far the most frequent: ten bytes of ones.
      this.#buffer.fill(0xff, this.#length, this.#length + 9);
      this.#length += 9;
      this.#buffer[this.#length++] = 1;
      return this;
    }
    let rest = BigInt.asUintN(64, BigInt(value));
    for (; rest > 0x7fn; rest >>= 7n) this.#buffer[this.#length++] = Number(rest & 0x7fn) | 0x80;
    this.#buffer[this.#length++] = Number(rest);
    return this;
  }

  bool(value: boolean): this {
    this.#reserve(1);
    this.#buffer[this.#length++] = value ? 1 : 0;
    return this;
  }

  bytes(value: Uint8Array): this {
    this.uint32(value.length);
    this.#reserve(value.length);
    this.#buffer.set(value, this.#length);
    this.#length += value.length;
    return this;
  }

  string(value: string): this {
    if (value.length > SHORT || !this.#ascii(value)) this.bytes(encoder.encode(value));
    return this;
  }

  /** Begins a message, whose length stands before it and is not known yet. */
  fork(): this {
    this.#reserve(1);
    this.#forks.push(this.#length++);
    return this;
  }

  join(): this {
    const at = this.#forks.pop();
    if (at === undefined) throw new Error("a message ends that did not begin");
    const size = this.#length - at - 1;
    let extra = 0;
    for (let rest = size >>> 7; rest > 0; rest >>>= 7) extra++;
    if (extra > 0) {
      this.#reserve(extra);
      this.#buffer.copyWithin(at + 1 + extra, at + 1, this.#length);
    }
    this.#length = at;
    this.#varint(size);
    this.#length += size;
    return this;
  }

  #varint(value: number): void {
    let rest = value >>> 0;
    for (; rest > 0x7f; rest >>>= 7) this.#buffer[this.#length++] = (rest & 0x7f) | 0x80;
    this.#buffer[this.#length++] = rest;
  }

  /** False, and nothing written, when a character needs more than one byte. */
  #ascii(value: string): boolean {
    this.#reserve(value.length + 2);
    const start = this.#length;
    this.#varint(value.length);
    const buffer = this.#buffer;
    let to = this.#length;
    for (let at = 0; at < value.length; at++) {
      const char = value.charCodeAt(at);
      if (char > 0x7f) {
        this.#length = start;
        return false;
      }
      buffer[to++] = char;
    }
    this.#length = to;
    return true;
  }

  #reserve(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#buffer.length) return;
    const larger = new Uint8Array(Math.max(needed, this.#buffer.length * 2));
    larger.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = larger;
  }
}

/** A writer for the generated encoders of ops. */
export function createOpWriter(): BinaryWriter {
  // The library's class has private members; the encoders use only the methods above.
  return new OpWriter() as unknown as BinaryWriter;
}
