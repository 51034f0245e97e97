// Messages that arrive on a stream. What nobody reads keeps its room in the stream's window, so that the sender waits.
import type { MessageSource } from "./framing.ts";

/**
 * One reader. Messages are made as they are asked for. Ends or fails as whoever owns the stream says with `end` and `fail`,
 * after the messages before it.
 */
export class Inbound implements AsyncIterableIterator<Uint8Array> {
  readonly #source: MessageSource;
  readonly #consumed: (size: number) => void;
  readonly #onFailure: (error: unknown) => void;
  /** Bytes that have come and keep their room. */
  #held = 0;
  #ended = false;
  #left = false;
  #failure: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;

  /** `consumed` gives room back, in bytes; `onFailure` is told of malformed messages. */
  constructor(
    source: MessageSource,
    consumed: (size: number) => void,
    onFailure: (error: unknown) => void,
  ) {
    this.#source = source;
    this.#consumed = consumed;
    this.#onFailure = onFailure;
  }

  take(piece: Uint8Array): void {
    if (this.#left || this.#failure) {
      this.#consumed(piece.length);
      return;
    }
    this.#held += piece.length;
    this.#source.push(piece);
    this.#giveBack();
    this.#wake?.();
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  fail(error: unknown): void {
    if (this.#ended) return;
    this.#failure ??= { error };
    this.end();
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    for (;;) {
      const message = this.#take();
      if (message) return { done: false, value: message };
      if (this.#failure) throw this.#failure.error;
      if (this.#ended) {
        if (!this.#left) this.#source.checkEnd();
        return { done: true, value: undefined };
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** All messages that have come, each time that some have. */
  async *batches(): AsyncGenerator<readonly Uint8Array[], void> {
    for (;;) {
      const first = await this.next();
      if (first.done) return;
      const batch = [first.value];
      for (let more = this.#take(); more; more = this.#take()) batch.push(more);
      yield batch;
    }
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#left = true;
    this.#ended = true;
    this.#failure = undefined;
    this.#source.clear();
    this.#giveBack();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #take(): Uint8Array | undefined {
    if (this.#left) return undefined;
    try {
      const message = this.#source.next();
      if (message) this.#giveBack();
      return message;
    } catch (error) {
      this.#broken(error);
      return undefined;
    }
  }

  /** Of a message that is not whole yet everything is taken: it may be larger than the window. */
  #giveBack(): void {
    let keep = 0;
    try {
      if (this.#source.ready) keep = Math.min(this.#held, this.#source.waiting);
    } catch (error) {
      this.#broken(error);
    }
    const size = this.#held - keep;
    this.#held = keep;
    if (size > 0) this.#consumed(size);
  }

  #broken(error: unknown): void {
    this.#source.clear();
    this.#failure ??= { error };
    this.#ended = true;
    this.#onFailure(error);
  }
}
