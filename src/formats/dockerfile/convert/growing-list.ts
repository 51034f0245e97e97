// A list that only grows, and whose copies share what they have in common.

/** A stage that stands on another goes on with its lists: a file of many such stages would copy them over and over. */
export class GrowingList<T> {
  #entries: T[];
  #length: number;

  constructor(entries: readonly T[] = []) {
    this.#entries = [...entries];
    this.#length = entries.length;
  }

  get length(): number {
    return this.#length;
  }

  push(entry: T): void {
    // Entries behind the end belong to another list.
    if (this.#entries.length > this.#length) this.#entries = this.toArray();
    this.#entries.push(entry);
    this.#length++;
  }

  /** The list as it is now; either may grow without the other. */
  copy(): GrowingList<T> {
    const copy = new GrowingList<T>();
    copy.#entries = this.#entries;
    copy.#length = this.#length;
    return copy;
  }

  toArray(): T[] {
    return this.#entries.slice(0, this.#length);
  }
}
