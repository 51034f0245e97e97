// Messages that arrive on a stream, held back while nobody reads them.
import type { Http2Stream } from "node:http2";
import type { MessageParser } from "./framing.ts";
import { StatusError, statusCodes } from "./status.ts";

/** The stream is paused while more than so many bytes wait for their reader. */
const highWater = 1 << 20;

/**
 * Reads a stream's messages by its events: iterating an HTTP/2 stream itself can lose its end (nodejs/node#65677). One
 * reader. Ends or fails as whoever owns the stream says with `end` and `fail`, after the messages before it.
 */
export class Inbound implements AsyncIterableIterator<Uint8Array> {
  readonly #stream: Http2Stream;
  readonly #parser: MessageParser;
  readonly #onFailure: (error: unknown) => void;
  #messages: Uint8Array[] = [];
  #at = 0;
  #waiting = 0;
  #ended = false;
  #failure: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;

  /** `onFailure` is told of malformed messages; `onEnd` when the other side has sent all it wants to. */
  constructor(
    stream: Http2Stream,
    parser: MessageParser,
    onEnd: () => void,
    onFailure: (error: unknown) => void,
  ) {
    this.#stream = stream;
    this.#parser = parser;
    this.#onFailure = onFailure;
    stream.on("data", (chunk: Uint8Array) => this.#take(chunk));
    stream.on("end", () => {
      if (parser.atRest) return onEnd();
      onFailure(new StatusError(statusCodes.INTERNAL, "stream ended inside a message"));
    });
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
      const message = this.#messages[this.#at];
      if (message) {
        this.#drop(message);
        return { done: false, value: message };
      }
      if (this.#failure) throw this.#failure.error;
      if (this.#ended) return { done: true, value: undefined };
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
      const batch = [first.value, ...this.#messages.slice(this.#at)];
      this.#messages = [];
      this.#at = 0;
      this.#waiting = 0;
      if (this.#stream.isPaused()) this.#stream.resume();
      yield batch;
    }
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#messages = [];
    this.#at = 0;
    this.#ended = true;
    this.#failure = undefined;
    // What still comes is thrown away, so that the end can be seen.
    this.#stream.resume();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #take(chunk: Uint8Array): void {
    if (this.#ended) return;
    try {
      for (const message of this.#parser.push(chunk)) {
        this.#messages.push(message);
        this.#waiting += message.length;
      }
    } catch (error) {
      this.#onFailure(error);
      return;
    }
    if (this.#waiting > highWater) this.#stream.pause();
    this.#wake?.();
  }

  #drop(message: Uint8Array): void {
    this.#at++;
    this.#waiting -= message.length;
    if (this.#at === this.#messages.length) {
      this.#messages = [];
      this.#at = 0;
    }
    if (this.#waiting <= highWater / 2 && this.#stream.isPaused()) this.#stream.resume();
  }
}
