// One stream: what may be sent and received in which state (RFC 9113, 5.1).
import { errorCodes, type Fields, Http2Error } from "./protocol.ts";
import { SendQueue } from "./send-queue.ts";
import { ReceiveWindow, SendWindow } from "./windows.ts";

/** Bytes that may wait to be sent before whoever writes is asked to wait, and how few let it go on. */
const highWater = 1 << 20;
const lowWater = 512 << 10;

/** What happens on a stream, in its order. None of these may throw. */
export interface StreamEvents {
  /** A response's first fields, with `:status`; not told of requests and of 1xx. */
  headers(fields: Fields): void;
  /** A part of what was read from the socket, the listener's own. What it is done with it tells `consumed`. */
  data(piece: Uint8Array): void;
  trailers(fields: Fields): void;
  /** The other side has sent all it wants to. */
  ended(): void;
  /** After `write` has asked to wait: more may be written. */
  drained(): void;
  /** The last word: undefined when both sides had ended, else why they did not. */
  closed(error: Error | undefined): void;
}

/** What a stream needs of its connection. */
export interface StreamHost {
  sendHeaders(stream: Stream, fields: Fields, end: boolean): void;
  sendReset(stream: Stream, code: number): void;
  /** The stream has something to send that its window lets through. */
  ready(stream: Stream): void;
  /** Bytes are no longer held; `increment` is to be announced for the stream. */
  release(stream: Stream, size: number, increment: number): void;
  /** Forgets the stream. */
  forget(stream: Stream): void;
}

export class Stream {
  /** 0 while it waits for the other side to take more streams. */
  id: number;
  events: StreamEvents | undefined;
  readonly queue: SendQueue = new SendQueue();
  readonly sendWindow: SendWindow;
  readonly #host: StreamHost;
  readonly #receiveWindow: ReceiveWindow;
  /** Bytes that were handed on and not consumed. */
  #held = 0;
  #headersReceived = false;
  #remoteEnded = false;
  #ending = false;
  #trailers: Fields | undefined;
  #localEnded = false;
  #lettingGo = false;
  #closed = false;
  #full = false;

  constructor(host: StreamHost, id: number, sendWindow: number, receiveWindow: number) {
    this.#host = host;
    this.id = id;
    this.sendWindow = new SendWindow(sendWindow);
    this.#receiveWindow = new ReceiveWindow(receiveWindow);
  }

  get closed(): boolean {
    return this.#closed;
  }

  get remoteEnded(): boolean {
    return this.#remoteEnded;
  }

  /** First fields have come. */
  get answered(): boolean {
    return this.#headersReceived;
  }

  /** Nothing more may be written. */
  get writableEnded(): boolean {
    return this.#ending || this.#closed;
  }

  /** Something can be sent now. */
  get sendable(): boolean {
    if (this.#closed || this.id === 0) return false;
    return this.queue.size > 0 ? this.sendWindow.left > 0 : this.#ending && !this.#localEnded;
  }

  /** First fields; with `end`, the only ones. */
  sendHeaders(fields: Fields, end = false): void {
    if (this.writableEnded) return;
    if (end) this.#ending = true;
    this.#host.sendHeaders(this, fields, end);
    if (end) this.localEnds();
  }

  /**
   * False: wait for `drained`. The chunk must not change before `sent`, which is called when the socket has taken it, and
   * never where the stream or the connection ends before.
   */
  write(chunk: Uint8Array, sent?: () => void): boolean {
    if (this.writableEnded) return true;
    this.queue.push(chunk, sent);
    if (this.sendable) this.#host.ready(this);
    if (this.queue.size >= highWater) this.#full = true;
    return !this.#full;
  }

  /** After what was written. */
  end(trailers?: Fields): void {
    if (this.writableEnded) return;
    this.#ending = true;
    this.#trailers = trailers;
    if (this.sendable) this.#host.ready(this);
  }

  /** When this side's end has been sent, a side that goes on sending is told that nobody reads it any more (RFC 9113, 8.1). */
  letGoAtEnd(): void {
    this.#lettingGo = true;
    if (this.#localEnded) this.#letGo();
  }

  /** Closes the stream at once, also one whose other side goes on sending. */
  reset(code: number): void {
    // Where both sides have ended there is nothing to give up: it is about to be closed.
    if (this.#closed || (this.#localEnded && this.#remoteEnded)) return;
    this.#host.sendReset(this, code);
    this.close(new Http2Error(code, "the stream was reset", this.id));
  }

  /** So many bytes of what `data` has handed on are no longer held. */
  consumed(size: number): void {
    if (this.#closed) return;
    this.#held -= size;
    const increment = this.#receiveWindow.release(size);
    this.#host.release(this, size, this.#remoteEnded ? 0 : increment);
  }

  /** For the connection: what comes after the queue; undefined where more may be written. */
  get ending(): { readonly trailers: Fields | undefined } | undefined {
    return this.#ending ? { trailers: this.#trailers } : undefined;
  }

  /** For the connection: some of the queue has been sent. */
  moved(): void {
    if (!this.#full || this.queue.size > lowWater) return;
    this.#full = false;
    this.events?.drained();
  }

  /** For the connection: END_STREAM has been sent. */
  localEnds(): void {
    this.#localEnded = true;
    if (this.#remoteEnded) this.close(undefined);
    else if (this.#lettingGo) this.#letGo();
  }

  /** For the connection. False where more has come than the window allows. */
  expect(size: number): boolean {
    return this.#receiveWindow.receive(size);
  }

  /** For the connection: content has come. */
  deliver(piece: Uint8Array): void {
    this.#held += piece.length;
    this.events?.data(piece);
  }

  /** For the connection: padding has come, which nobody holds. */
  skip(size: number): void {
    this.#held += size;
    this.consumed(size);
  }

  /** For the connection: a header block of this stream that is a message's. */
  receiveHeaders(fields: Fields): void {
    if (this.#headersReceived) this.events?.trailers(fields);
    else {
      this.#headersReceived = true;
      this.events?.headers(fields);
    }
  }

  /** For the connection, of a stream that the other side has opened: its fields are known already. */
  opened(): void {
    this.#headersReceived = true;
  }

  /** For the connection: END_STREAM has come. */
  remoteEnds(): void {
    if (this.#closed) return;
    this.#remoteEnded = true;
    this.events?.ended();
    if (this.#localEnded) this.close(undefined);
  }

  #letGo(): void {
    if (this.#closed) return;
    this.#host.sendReset(this, errorCodes.NO_ERROR);
    this.close(undefined);
  }

  /** For the connection: nothing comes and goes any more. */
  close(error: Error | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.queue.clear();
    this.#host.forget(this);
    if (this.#held > 0) this.#host.release(this, this.#held, 0);
    this.#held = 0;
    this.events?.closed(error);
  }
}

/** The other side has reset a stream. */
export function resetByPeer(stream: Stream, code: number): Error | undefined {
  // After a whole answer this only says that the rest of the request is not wanted.
  if (code === errorCodes.NO_ERROR && stream.remoteEnded) return undefined;
  return new Http2Error(code, `the stream was reset by the other side (${code})`, stream.id);
}
