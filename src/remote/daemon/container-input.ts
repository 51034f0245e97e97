// What a client types to a process, kept until the process takes it.

/** Bytes that may wait; whoever sends more waits too. */
const maxWaiting = 1 << 20;

export class ProcessInput implements AsyncIterable<Uint8Array> {
  #waiting: Uint8Array[] = [];
  #size = 0;
  #ended = false;
  #wakeReader = () => {};
  #wakeWriter = () => {};

  /** Resolves when there is room for more. What comes after the end is dropped. */
  async put(data: Uint8Array): Promise<void> {
    if (this.#ended) return;
    this.#waiting.push(data);
    this.#size += data.length;
    this.#wakeReader();
    if (this.#size <= maxWaiting) return;
    await new Promise<void>((resolve) => {
      this.#wakeWriter = resolve;
    });
  }

  end(): void {
    this.#ended = true;
    this.#wakeReader();
    this.#wakeWriter();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    for (;;) {
      const next = this.#waiting.shift();
      if (next) {
        this.#size -= next.length;
        if (this.#size <= maxWaiting) this.#wakeWriter();
        yield next;
      } else if (this.#ended) return;
      else
        await new Promise<void>((resolve) => {
          this.#wakeReader = resolve;
        });
    }
  }
}
