// Reading a stream in pieces, one after the other, where a piece may have to be read again.
import type { Bytes } from "../../base/index.ts";

/** Keeps one stream open and goes on with it; asked for something earlier, opens it anew and skips. Owns its stream. */
export class ByteWindow implements AsyncDisposable {
  readonly #open: () => Bytes;
  #stream: AsyncIterator<Uint8Array> | undefined;
  #offset = 0;
  #rest: Uint8Array | undefined;

  constructor(open: () => Bytes) {
    this.#open = open;
  }

  /** `size` bytes from `from` on, fewer when the stream ends. Only one read at a time. */
  async *read(from: number, size: number): Bytes {
    if (!this.#stream || from < this.#offset) await this.#restart();
    while (this.#offset < from) if (!(await this.#take(from - this.#offset))) return;
    for (let left = size; left > 0; ) {
      const chunk = await this.#take(left);
      if (!chunk) return;
      left -= chunk.length;
      yield chunk;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stream?.return?.();
    this.#stream = undefined;
  }

  async #restart(): Promise<void> {
    await this[Symbol.asyncDispose]();
    this.#stream = this.#open()[Symbol.asyncIterator]();
    this.#offset = 0;
    this.#rest = undefined;
  }

  async #take(most: number): Promise<Uint8Array | undefined> {
    let chunk = this.#rest;
    if (!chunk) {
      const next = await this.#stream?.next();
      if (!next || next.done) return undefined;
      chunk = next.value;
    }
    this.#rest = chunk.length > most ? chunk.subarray(most) : undefined;
    const taken = chunk.subarray(0, most);
    this.#offset += taken.length;
    return taken;
  }
}
