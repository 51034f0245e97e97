// The streams of a connection that are open, and which ones have been.
import { errorCodes, type Fields, Http2Error } from "./protocol.ts";
import type { Stream } from "./stream.ts";

export class Streams {
  readonly isServer: boolean;
  readonly open: Map<number, Stream> = new Map();
  /** Requests that wait until the other side takes more streams. */
  readonly waiting: { readonly stream: Stream; readonly fields: Fields }[] = [];
  /** The highest number that the other side has used. */
  last = 0;
  /** The number of the next request of this side. */
  #next = 1;

  constructor(isServer: boolean) {
    this.isServer = isServer;
  }

  /** Nothing is open and nothing waits. */
  get idle(): boolean {
    return this.open.size === 0 && this.waiting.length === 0;
  }

  /** Closes requests that wait, and streams above the number `last`. */
  closeAbove(last: number, reason: (stream: Stream) => Error): void {
    for (const { stream } of this.waiting.splice(0)) stream.close(reason(stream));
    for (const stream of [...this.open.values()])
      if (stream.id > last) stream.close(reason(stream));
  }

  /** A number for a request of this side. */
  number(): number {
    const id = this.#next;
    this.#next += 2;
    return id;
  }

  /** The other side may open a stream under it. */
  isNew(id: number): boolean {
    return this.isServer && id % 2 === 1 && id > this.last;
  }

  /** Undefined where the stream has ended; throws PROTOCOL_ERROR where nobody has opened it. */
  known(id: number, frame: string): Stream | undefined {
    const stream = this.open.get(id);
    if (stream) return stream;
    const used = this.isServer ? id <= this.last : id < this.#next;
    if (id % 2 === 1 && used) return undefined;
    throw new Http2Error(errorCodes.PROTOCOL_ERROR, `${frame} on stream ${id}, which is not open`);
  }
}
