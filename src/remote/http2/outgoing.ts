// What this side says, in the form that the other side has asked for.
import type { Duplex } from "node:stream";
import { type ConnectionLimits, sayHello } from "./hello.ts";
import { emptyTable, encodeFields } from "./hpack/encoder.ts";
import type { Patience } from "./patience.ts";
import { defaultHeaderTableSize, type Fields, flags, frameTypes } from "./protocol.ts";
import { Sender } from "./sender.ts";
import { applySettings, settingsBefore } from "./settings.ts";
import type { Stream } from "./stream.ts";

/** Frames go out together when the work that runs now is done. After `end` nothing more is said. */
export class Outgoing {
  readonly sender: Sender;
  readonly #peer = settingsBefore();
  #tableSizeChanged = false;
  #ended = false;

  constructor(socket: Duplex, patience: Patience) {
    this.sender = new Sender(socket, patience, (stream, trailers) => this.#last(stream, trailers));
  }

  /** Bytes that a new stream may send at first. */
  get initialWindowSize(): number {
    return this.#peer.initialWindowSize;
  }

  /** Streams that the other side takes at once. */
  get maxConcurrentStreams(): number {
    return this.#peer.maxConcurrentStreams;
  }

  /** The first words. */
  hello(limits: ConnectionLimits, isServer: boolean): void {
    sayHello(this.sender.frames, limits, isServer);
    this.sender.schedule();
  }

  /** Takes over what the other side asks for; returns by how much the first window of streams has grown. */
  applySettings(values: readonly (readonly [id: number, value: number])[]): number {
    const before = this.#peer.initialWindowSize;
    applySettings(this.#peer, values);
    this.sender.maxFrameSize = this.#peer.maxFrameSize;
    if (this.#peer.headerTableSize < defaultHeaderTableSize) this.#tableSizeChanged = true;
    return this.#peer.initialWindowSize - before;
  }

  /** The other side's settings are obeyed from here on. */
  settingsAcknowledged(): void {
    this.sender.frames.settingsAcknowledged();
    this.sender.schedule();
  }

  headers(id: number, fields: Fields, end: boolean): void {
    if (this.#ended) return;
    let block = encodeFields(fields);
    if (this.#tableSizeChanged) {
      this.#tableSizeChanged = false;
      const announced = new Uint8Array(block.length + 1);
      announced[0] = emptyTable;
      announced.set(block, 1);
      block = announced;
    }
    this.sender.frames.headers(id, block, end, this.#peer.maxFrameSize);
    this.sender.schedule();
  }

  reset(id: number, code: number): void {
    if (this.#ended) return;
    this.sender.frames.reset(id, code);
    this.sender.schedule();
  }

  /** Of a stream, or with 0 of the connection; nothing for an increment of 0. */
  windowUpdate(id: number, increment: number): void {
    if (increment === 0 || this.#ended) return;
    this.sender.frames.windowUpdate(id, increment);
    this.sender.schedule();
  }

  ping(payload: Uint8Array, isAnswer: boolean): void {
    this.sender.frames.ping(payload, isAnswer);
    this.sender.schedule();
  }

  goAway(lastStream: number, code: number, words: string): void {
    this.sender.frames.goAway(lastStream, code, words);
    this.sender.schedule();
  }

  end(): void {
    this.#ended = true;
  }

  /** The last frame of a stream, whose queue is empty. */
  #last(stream: Stream, trailers: Fields | undefined): void {
    if (trailers) this.headers(stream.id, trailers, true);
    else this.sender.frames.head(frameTypes.DATA, flags.END_STREAM, stream.id, 0);
    stream.localEnds();
  }
}
