// Messages on their way to the other side of a stream: who puts waits for a slow reader.

/** Messages that may wait to be sent. */
const maxWaiting = 32;

/** One reader, any number of writers. */
export class Outbox<T> implements AsyncIterable<T> {
  readonly #waiting: T[] = [];
  #wakeReader: () => void = () => {};
  #wakeWriters: (() => void)[] = [];
  #end: { readonly error: unknown } | undefined;

  /** Resolves when there is room for it; what comes after the end is dropped. */
  async put(message: T): Promise<void> {
    while (this.#waiting.length >= maxWaiting && !this.#end)
      await new Promise<void>((resolve) => this.#wakeWriters.push(resolve));
    if (this.#end) return;
    this.#waiting.push(message);
    this.#wakeReader();
  }

  /** The reader gets what waits, and then the end, or `error`. */
  end(error?: unknown): void {
    this.#end ??= { error };
    this.#wakeReader();
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    for (;;) {
      const next = this.#waiting.shift();
      if (next !== undefined) {
        this.#wake();
        yield next;
        continue;
      }
      if (this.#end) {
        if (this.#end.error !== undefined) throw this.#end.error;
        return;
      }
      await new Promise<void>((resolve) => {
        this.#wakeReader = resolve;
      });
    }
  }

  #wake(): void {
    for (const wake of this.#wakeWriters.splice(0)) wake();
  }
}
