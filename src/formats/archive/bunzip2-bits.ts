// Bits of bzip2 data, the highest of a byte first.

/** The bytes at hand were not enough. */
export class OutOfBits extends Error {}

/** Reads from a bit of the first byte on. Every method throws `OutOfBits` rather than read behind the last byte. */
export class BitSource {
  readonly #bytes: Uint8Array;
  #at = 0;
  /** Bits that were taken out of the bytes and are still to be read: the low `#held` of them. */
  #bits = 0;
  #held = 0;

  constructor(bytes: Uint8Array, bit: number) {
    this.#bytes = bytes;
    if (bit > 0) this.take(bit);
  }

  /** Bits read, from the first byte on. */
  get position(): number {
    return this.#at * 8 - this.#held;
  }

  get isAtEnd(): boolean {
    return this.#held === 0 && this.#at >= this.#bytes.length;
  }

  /** At most 24. */
  take(count: number): number {
    while (this.#held < count) {
      if (this.#at >= this.#bytes.length) throw new OutOfBits();
      this.#bits = (this.#bits << 8) | (this.#bytes[this.#at++] ?? 0);
      this.#held += 8;
    }
    this.#held -= count;
    return (this.#bits >>> this.#held) & ((1 << count) - 1);
  }

  /** The next bits without taking them, at most 20; zeros behind the last byte. */
  peek(count: number): number {
    while (this.#held < count) {
      if (this.#at >= this.#bytes.length) return this.#padded(count);
      this.#bits = (this.#bits << 8) | (this.#bytes[this.#at++] ?? 0);
      this.#held += 8;
    }
    return (this.#bits >>> (this.#held - count)) & ((1 << count) - 1);
  }

  /** After `peek`. */
  skip(count: number): void {
    if (count > this.#held) throw new OutOfBits();
    this.#held -= count;
  }

  /** To the beginning of the next byte. */
  align(): void {
    this.#held -= this.#held & 7;
  }

  #padded(count: number): number {
    const left = this.#bits & ((1 << this.#held) - 1);
    return left << (count - this.#held);
  }
}
