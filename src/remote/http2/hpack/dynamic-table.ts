// The header fields that the other side has given numbers to (RFC 7541, 2.3.2).

/** What an entry counts beside its name and value (RFC 7541, 4.1). */
export const entryOverhead = 32;

export class DynamicTable {
  /** Newest last. */
  readonly #entries: (readonly [name: string, value: string])[] = [];
  #oldest = 0;
  #size = 0;
  #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get length(): number {
    return this.#entries.length - this.#oldest;
  }

  get size(): number {
    return this.#size;
  }

  /** The newest is number 0. */
  get(index: number): readonly [name: string, value: string] | undefined {
    return index < this.length ? this.#entries[this.#entries.length - 1 - index] : undefined;
  }

  /** Entries that no longer fit go, the oldest first; one that is too large for the table empties it. */
  add(name: string, value: string): void {
    const size = name.length + value.length + entryOverhead;
    this.#shrinkTo(this.#limit - size);
    if (size > this.#limit) return;
    this.#entries.push([name, value]);
    this.#size += size;
  }

  resize(limit: number): void {
    this.#limit = limit;
    this.#shrinkTo(limit);
  }

  #shrinkTo(size: number): void {
    while (this.#size > Math.max(0, size)) {
      const [name, value] = this.#entries[this.#oldest++] as readonly [string, string];
      this.#size -= name.length + value.length + entryOverhead;
    }
    // Moving all of them each time would cost more than the room.
    if (this.#oldest > 64 && this.#oldest > this.#entries.length / 2) {
      this.#entries.splice(0, this.#oldest);
      this.#oldest = 0;
    }
  }
}
