// The byte stream below a connection, which is read also while HTTP/2 waits for its own writes.
import { Socket } from "node:net";
import { Duplex } from "node:stream";

/**
 * Bytes that may wait for HTTP/2. A peer that keeps to the windows cannot have more on its way than the connection's window
 * and the heads of its frames; reading stops for one that does not.
 */
const maxUnread = 16 << 20;
/** Bytes that count as written while they wait for the other side, so that HTTP/2 goes on with its work. */
const maxUnsent = 1 << 20;
/** What HTTP/2 writes is gathered in blocks of this size, in bytes; so many wait to be used again. */
const blockSize = 128 << 10;
const maxSpare = 8;
/** Milliseconds for last words on a connection that is closed. */
const farewell = 1000;
/** Milliseconds in which what came before the end of the socket must have been read. */
const leftovers = 30_000;

/**
 * Node's HTTP/2 does not read while a write of its own is on the way (`Http2Session::MaybeStopReading`), so two of them that
 * both write more than the kernel buffers wait for each other for ever. What is between them and the socket here takes from
 * it whatever comes: the socket of the other side always empties, and its writes come to their end. How much may come is
 * limited by HTTP/2's windows, which are widened only as HTTP/2 itself gets to read. Owns `socket`.
 */
export function openWire(socket: Duplex): Duplex {
  return new Wire(socket);
}

type Done = (error?: Error | null) => void;

class Wire extends Duplex {
  readonly #socket: Duplex;
  readonly #spare: Uint8Array[] = [];

  constructor(socket: Duplex) {
    super({ allowHalfOpen: true, autoDestroy: true });
    this.#socket = socket;
    socket.on("data", (chunk: Uint8Array) => {
      this.push(chunk);
      if (this.readableLength > maxUnread) socket.pause();
    });
    socket.once("end", () => this.push(null));
    socket.on("error", (error) => this.destroy(error));
    socket.once("close", () => this.#closed());
    socket.resume();
    if (socket.destroyed) this.#closed();
  }

  override _read(): void {
    if (this.#socket.isPaused() && this.readableLength <= maxUnread / 2) this.#socket.resume();
  }

  override _write(chunk: Uint8Array, _encoding: string, done: Done): void {
    this.#send(chunk, done);
  }

  /** HTTP/2 hands over the heads of frames and their contents one by one. */
  override _writev(chunks: readonly { readonly chunk: Uint8Array }[], done: Done): void {
    const last = chunks.length - 1;
    const socket = this.#socket;
    if (!(socket instanceof Socket)) {
      socket.cork();
      chunks.forEach(({ chunk }, at) => {
        if (at < last) socket.write(chunk);
        else this.#send(chunk, done);
      });
      socket.uncork();
      return;
    }
    // A copy costs less than a system's buffer for each of them.
    let block = this.#block();
    let used = 0;
    chunks.forEach(({ chunk }, index) => {
      for (let at = 0; at < chunk.length; ) {
        if (used === blockSize) {
          this.#sendBlock(block, used);
          block = this.#block();
          used = 0;
        }
        const part = chunk.subarray(at, at + blockSize - used);
        block.set(part, used);
        used += part.length;
        at += part.length;
      }
      if (index === last) this.#sendBlock(block, used, done);
    });
  }

  #send(chunk: Uint8Array, done: Done): void {
    const socket = this.#socket;
    if (socket.writableLength + chunk.length <= maxUnsent) {
      socket.write(chunk);
      done();
    } else socket.write(chunk, done);
  }

  #block(): Uint8Array {
    return this.#spare.pop() ?? new Uint8Array(blockSize);
  }

  /** The block is used again when the kernel has its bytes. */
  #sendBlock(block: Uint8Array, used: number, done?: Done): void {
    const socket = this.#socket;
    const early = socket.writableLength + used <= maxUnsent;
    socket.write(block.subarray(0, used), (error) => {
      if (this.#spare.length < maxSpare) this.#spare.push(block);
      if (!early) done?.(error);
    });
    if (early) done?.();
  }

  override _final(done: Done): void {
    this.#socket.end(() => done());
  }

  override _destroy(error: Error | null, done: Done): void {
    const socket = this.#socket;
    done(error);
    if (error || socket.destroyed || socket.writableLength === 0) {
      socket.destroy(error ?? undefined);
      return;
    }
    // What was said already is still to be heard.
    const timer = setTimeout(() => socket.destroy(), farewell);
    socket.end(() => socket.destroy());
    socket.once("close", () => clearTimeout(timer));
  }

  #closed(): void {
    this.push(null);
    if (this.readableLength === 0) {
      this.destroy();
      return;
    }
    // What came before is still read.
    const timer = setTimeout(() => this.destroy(), leftovers);
    this.once("end", () => this.destroy());
    this.once("close", () => clearTimeout(timer));
  }
}
