// One HTTP/2 connection (RFC 9113), either side, over any byte stream.
import type { Duplex } from "node:stream";
import { faultOfRequest } from "./fields.ts";
import { FrameReader } from "./frame-reader.ts";
import { ClientHello, type ConnectionLimits } from "./hello.ts";
import { Incoming, type IncomingHost } from "./incoming.ts";
import { Outgoing } from "./outgoing.ts";
import { costs, Patience } from "./patience.ts";
import { errorCodes, type Fields, Http2Error } from "./protocol.ts";
import type { Sender } from "./sender.ts";
import { Stream, type StreamEvents, type StreamHost } from "./stream.ts";
import { Streams } from "./streams.ts";
import { ReceiveWindow } from "./windows.ts";

export interface Http2Options {
  readonly limits: ConnectionLimits;
  /** Takes a stream that the other side opens, and gives its events; absent on a client. */
  readonly onStream?: (stream: Stream, fields: Fields) => StreamEvents;
  /** Told of what the other side did wrong before the connection ends for it. */
  readonly onError?: (error: Error) => void;
}

/** What a server names that still takes every stream. */
const largestStream = 2 ** 31 - 1;
/** Milliseconds for last words on a connection that ends. */
const farewell = 1000;

/** Owns the socket from its creation on. */
export class Http2Connection {
  /** Resolves when the socket is closed; never rejects. */
  readonly closed: Promise<void>;
  /** Resolves when the other side has said its first words, or the connection has ended. */
  readonly greeted: Promise<void>;
  readonly #socket: Duplex;
  readonly #options: Http2Options;
  readonly #patience = new Patience();
  readonly #outgoing: Outgoing;
  readonly #sender: Sender;
  readonly #reader: FrameReader;
  readonly #window: ReceiveWindow;
  readonly #streams: Streams;
  readonly #incoming: Incoming;
  readonly #pings: (() => void)[] = [];
  /** On a server. */
  readonly #hello: ClientHello | undefined;
  #closing = false;
  /** No new streams: either side has said so. */
  #leaving = false;
  #ended = false;
  #failure: Error | undefined;
  #greet: () => void = () => {};

  constructor(socket: Duplex, options: Http2Options) {
    this.#socket = socket;
    this.#options = options;
    const { limits } = options;
    this.#streams = new Streams(options.onStream !== undefined);
    this.#hello = options.onStream && new ClientHello();
    this.#window = new ReceiveWindow(limits.connectionWindow);
    this.#outgoing = new Outgoing(socket, this.#patience);
    this.#sender = this.#outgoing.sender;
    this.#incoming = new Incoming(this.#incomingHost, {
      streams: this.#streams,
      patience: this.#patience,
      window: this.#window,
      maxHeaderListSize: limits.maxHeaderListSize,
    });
    this.#reader = new FrameReader(this.#incoming, limits.maxFrameSize);
    this.greeted = new Promise((resolve) => {
      this.#greet = resolve;
    });
    this.closed = new Promise((resolve) => {
      const gone = () => {
        this.#finish(this.#failure);
        resolve();
      };
      if (socket.closed) queueMicrotask(gone);
      else socket.once("close", gone);
    });
    this.#open();
  }

  /** Neither side has said goodbye. */
  get usable(): boolean {
    return !this.#leaving && !this.#ended;
  }

  /** Why the connection ended, or is about to, where it was for a reason. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Opens a stream, on a client. Its fields go out as soon as the other side takes another stream. */
  request(fields: Fields, events: StreamEvents): Stream {
    if (!this.usable)
      throw this.#failure ?? new Http2Error(errorCodes.REFUSED_STREAM, "the connection is ending");
    const stream = new Stream(this.#host, 0, 0, this.#options.limits.streamWindow);
    stream.events = events;
    this.#streams.waiting.push({ stream, fields });
    this.#openWaiting();
    return stream;
  }

  /** Resolves when the other side has answered; never, where the connection ends before. */
  ping(): Promise<void> {
    return new Promise((resolve) => {
      this.#pings.push(resolve);
      this.#outgoing.ping(new Uint8Array(8), false);
    });
  }

  /**
   * Takes no new streams; ends when those that are open have ended. A server first says that it is about to: what the other
   * side has begun before it heard of that is still taken (RFC 9113, 6.8).
   */
  close(): void {
    if (!this.usable || this.#closing) return;
    this.#closing = true;
    if (!this.#streams.isServer) {
      this.#leave();
      return;
    }
    this.#outgoing.goAway(largestStream, errorCodes.NO_ERROR, "");
    const timer = setTimeout(() => this.#leave(), farewell);
    void this.ping().then(() => this.#leave());
    void this.closed.then(() => clearTimeout(timer));
  }

  /** Ends now; streams fail with `error`. Bytes that wait are written if the other side takes them in a moment. */
  destroy(error?: Error): void {
    if (this.#ended) return;
    this.#failure ??= error;
    this.#goAway(errorCodes.NO_ERROR, error?.message ?? "");
    this.#hangUp(error ?? new Http2Error(errorCodes.CANCEL, "the connection was closed"));
  }

  #open(): void {
    this.#outgoing.hello(this.#options.limits, this.#streams.isServer);
    const socket = this.#socket;
    socket.on("data", (chunk: Uint8Array) => this.#take(chunk));
    socket.once("end", () => this.#lost(undefined));
    socket.on("error", (error: Error) => this.#lost(error));
  }

  #take(chunk: Uint8Array): void {
    // After the end it is only read so that the other side gets to hear why.
    if (this.#ended) return;
    try {
      this.#reader.push(this.#hello?.take(chunk) ?? chunk);
      this.#sender.checkControl();
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  readonly #incomingHost: IncomingHost = {
    accept: (id, fields) => this.#accept(id, fields),
    applySettings: (values) => this.#applySettings(values),
    answerPing: (payload) => this.#outgoing.ping(payload, true),
    pingAnswered: () => this.#pings.shift()?.(),
    leave: (lastStream, code) => this.#peerLeaves(lastStream, code),
    widen: (stream, increment) => this.#widen(stream, increment),
    release: (size) => this.#outgoing.windowUpdate(0, this.#window.release(size)),
    reject: (stream, code) => this.#reject(stream, code),
  };

  /** Ends a stream on which the other side has made a mistake. */
  #reject(stream: Stream, code: number): undefined {
    this.#patience.spend(costs.reset);
    stream.reset(code);
  }

  #accept(id: number, fields: Fields | undefined): Stream | undefined {
    this.#streams.last = id;
    const { limits, onStream } = this.#options;
    const stream = new Stream(
      this.#host,
      id,
      this.#outgoing.initialWindowSize,
      limits.streamWindow,
    );
    if (!this.usable || !onStream || this.#streams.open.size >= limits.maxConcurrentStreams)
      return this.#reject(stream, errorCodes.REFUSED_STREAM);
    if (!fields) return this.#reject(stream, errorCodes.ENHANCE_YOUR_CALM);
    if (faultOfRequest(fields) !== undefined)
      return this.#reject(stream, errorCodes.PROTOCOL_ERROR);
    this.#streams.open.set(id, stream);
    stream.opened();
    stream.events = onStream(stream, fields);
    return stream;
  }

  #applySettings(values: readonly (readonly [id: number, value: number])[]): void {
    const grown = this.#outgoing.applySettings(values);
    this.#greet();
    for (const stream of this.#streams.open.values()) {
      if (!stream.sendWindow.widen(grown))
        throw new Http2Error(errorCodes.FLOW_CONTROL_ERROR, "a window beyond all measure");
      if (stream.sendable) this.#sender.ready(stream);
    }
    this.#outgoing.settingsAcknowledged();
    this.#openWaiting();
  }

  #widen(stream: Stream | undefined, increment: number): void {
    const window = stream?.sendWindow ?? this.#sender.window;
    if (increment > 0 && window.widen(increment)) {
      if (!stream) this.#sender.schedule();
      else if (stream.sendable) this.#sender.ready(stream);
      return;
    }
    const fault = increment === 0 ? errorCodes.PROTOCOL_ERROR : errorCodes.FLOW_CONTROL_ERROR;
    if (!stream) throw new Http2Error(fault, `a window widened by ${increment}`);
    this.#reject(stream, fault);
  }

  /** Streams above the last one that it took were not begun there. grpc-go's clients name one of their own, which means nothing. */
  #peerLeaves(lastStream: number, code: number): void {
    this.#leaving = true;
    if (code !== errorCodes.NO_ERROR)
      this.#failure ??= new Http2Error(code, `the other side ended the connection (${code})`);
    if (!this.#streams.isServer) {
      const words = "the other side takes no more calls";
      this.#streams.closeAbove(
        lastStream,
        ({ id }) => new Http2Error(errorCodes.REFUSED_STREAM, words, id),
      );
    }
    this.#endWhenIdle();
  }

  // What goes out.

  readonly #host: StreamHost = {
    sendHeaders: (stream, fields, end) => this.#outgoing.headers(stream.id, fields, end),
    sendReset: (stream, code) => {
      if (stream.id !== 0) this.#outgoing.reset(stream.id, code);
    },
    ready: (stream) => this.#sender.ready(stream),
    release: (stream, size, increment) => {
      this.#outgoing.windowUpdate(stream.id, increment);
      this.#outgoing.windowUpdate(0, this.#window.release(size));
    },
    forget: (stream) => {
      this.#streams.open.delete(stream.id);
      this.#openWaiting();
      if (this.#leaving) this.#endWhenIdle();
    },
  };

  #openWaiting(): void {
    while (this.#streams.open.size < this.#outgoing.maxConcurrentStreams && !this.#ended) {
      const next = this.#streams.waiting.shift();
      if (!next) return;
      const { stream, fields } = next;
      if (stream.closed) continue;
      stream.id = this.#streams.number();
      stream.sendWindow.widen(this.#outgoing.initialWindowSize);
      this.#streams.open.set(stream.id, stream);
      this.#outgoing.headers(stream.id, fields, false);
      if (stream.sendable) this.#sender.ready(stream);
    }
  }

  #leave(): void {
    if (!this.usable) return;
    this.#leaving = true;
    this.#goAway(errorCodes.NO_ERROR, "");
    this.#endWhenIdle();
  }

  #goAway(code: number, words: string): void {
    this.#outgoing.goAway(this.#streams.last, code, words);
  }

  // The end.

  #endWhenIdle(): void {
    if (this.#leaving && !this.#ended && this.#streams.idle) this.#hangUp(undefined);
  }

  /** The other side has done something wrong. */
  #fail(error: Error): void {
    if (this.#ended) return;
    this.#failure ??= error;
    this.#options.onError?.(error);
    // Whoever speaks something else would not understand the reason.
    if (this.#hello?.complete === false) {
      this.#lost(error);
      return;
    }
    const code = error instanceof Http2Error ? error.code : errorCodes.INTERNAL_ERROR;
    this.#goAway(code, error.message);
    this.#hangUp(error, true);
  }

  #lost(error: Error | undefined): void {
    if (error && error !== this.#failure && !this.#ended) this.#options.onError?.(error);
    this.#failure ??= error;
    this.#finish(error);
    this.#socket.destroy();
  }

  /** `linger`: what the other side still sends is read for a moment, or it might not get to hear why. */
  #hangUp(error: Error | undefined, linger = false): void {
    this.#finish(error);
    const socket = this.#socket;
    const timer = setTimeout(() => socket.destroy(), farewell);
    socket.once("close", () => clearTimeout(timer));
    this.#sender.close(() => {
      socket.end(() => {
        if (!linger) socket.destroy();
      });
    });
  }

  /** Once; tells everybody. */
  #finish(error: Error | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#leaving = true;
    this.#outgoing.end();
    this.#greet();
    const reason = error ?? new Http2Error(errorCodes.CANCEL, "the connection was closed");
    this.#streams.closeAbove(0, () => reason);
  }
}
