// Decides what is written next: control frames at once, streams in turns, as windows and the socket allow.
import type { Duplex } from "node:stream";
import { FrameWriter } from "./frame-writer.ts";
import type { Patience } from "./patience.ts";
import {
  defaultMaxFrameSize,
  defaultWindowSize,
  errorCodes,
  flags,
  frameTypes,
  Http2Error,
} from "./protocol.ts";
import type { Stream } from "./stream.ts";
import { SendWindow } from "./windows.ts";

/** Bytes that go to the socket in one write, and how many may be with it. */
const batchSize = 512 << 10;
const maxInFlight = 1 << 20;
/** A frame is no larger, whatever the other side takes, so that streams take turns. */
const maxTurn = 256 << 10;
/** Bytes of control frames that may wait for a socket which does not take them. */
const maxControl = 1 << 20;

export class Sender {
  /** What is put here goes out with the next write: see `schedule`. */
  readonly frames: FrameWriter = new FrameWriter();
  readonly window: SendWindow = new SendWindow(defaultWindowSize);
  maxFrameSize: number = defaultMaxFrameSize;
  readonly #socket: Duplex;
  readonly #patience: Patience;
  readonly #sendLast: (stream: Stream, trailers: readonly string[] | undefined) => void;
  /** In turns; a stream is here once. */
  readonly #ready: Set<Stream> = new Set();
  #inFlight = 0;
  #scheduled = false;
  #closed = false;
  #idle: (() => void) | undefined;

  /** `sendLast` writes a stream's last frame: its queue is empty and it has ended. */
  constructor(
    socket: Duplex,
    patience: Patience,
    sendLast: (stream: Stream, trailers: readonly string[] | undefined) => void,
  ) {
    this.#socket = socket;
    this.#patience = patience;
    this.#sendLast = sendLast;
  }

  ready(stream: Stream): void {
    this.#ready.add(stream);
    this.schedule();
  }

  /** Writes when the work that runs now is done, so that small frames go together. */
  schedule(): void {
    if (this.#scheduled || this.#closed) return;
    this.#scheduled = true;
    process.nextTick(this.#flush);
  }

  /** Throws ENHANCE_YOUR_CALM when the other side asks for answers and takes none. */
  checkControl(): void {
    if (this.frames.size > maxControl + batchSize)
      throw new Http2Error(errorCodes.ENHANCE_YOUR_CALM, "answers that nobody takes");
  }

  /** Nothing more is written after what is there; `done` when the socket has taken that. */
  close(done: () => void): void {
    this.#ready.clear();
    this.#write();
    this.#closed = true;
    this.#idle = done;
    if (this.#inFlight === 0) done();
  }

  readonly #flush = (): void => {
    this.#scheduled = false;
    while (!this.#closed && this.#inFlight < maxInFlight) {
      this.#gather();
      if (this.frames.size === 0) return;
      this.#write();
    }
  };

  #gather(): void {
    for (const stream of this.#ready) {
      if (this.frames.size >= batchSize) return;
      // An end needs no window.
      if (stream.queue.size > 0 && this.window.left <= 0 && stream.sendable) continue;
      this.#ready.delete(stream);
      if (!stream.sendable) continue;
      this.#sendSome(stream);
      // To the end of the line.
      if (stream.sendable) this.#ready.add(stream);
    }
  }

  #sendSome(stream: Stream): void {
    const { queue, sendWindow } = stream;
    if (queue.size > 0) {
      const size = Math.min(
        queue.size,
        sendWindow.left,
        this.window.left,
        this.maxFrameSize,
        maxTurn,
      );
      sendWindow.take(size);
      this.window.take(size);
      this.#patience.sent(size);
      const last = size === queue.size ? stream.ending : undefined;
      const ends = last !== undefined && last.trailers === undefined;
      this.frames.head(frameTypes.DATA, ends ? flags.END_STREAM : 0, stream.id, size);
      queue.moveTo(this.frames, size);
      if (ends) {
        stream.localEnds();
        return;
      }
      stream.moved();
    }
    const { ending } = stream;
    if (ending && queue.size === 0) this.#sendLast(stream, ending.trailers);
  }

  #write(): void {
    const { size } = this.frames;
    const chunks = this.frames.take();
    const waiting = this.frames.takeWaiting();
    const last = chunks.pop();
    if (!last) return;
    this.#inFlight += size;
    const socket = this.#socket;
    socket.cork();
    for (const chunk of chunks) socket.write(chunk);
    socket.write(last, (error) => {
      this.#inFlight -= size;
      if (!error) for (const done of waiting) done();
      if (this.#inFlight === 0) this.#idle?.();
      this.schedule();
    });
    socket.uncork();
  }
}
