// The streams of a connection that are open, and which ones have been.
import { errorCodes, Http2Error } from "./protocol.ts";
import type { Stream } from "./stream.ts";

export class Streams {
  readonly isServer: boolean;
  readonly open: Map<number, Stream> = new Map();
  /** The highest number that the other side has used. */
  last = 0;
  /** The number of the next request of this side. */
  #next = 1;

  constructor(isServer: boolean) {
    this.isServer = isServer;
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
