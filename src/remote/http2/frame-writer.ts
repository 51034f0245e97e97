// Frames on their way out, gathered for one write: small things are joined, contents of DATA go along as they are.
import { Buffer } from "node:buffer";
import { flags, frameHeadSize, frameTypes } from "./protocol.ts";

/** Room for heads and small frames is taken from blocks of this size, in bytes. */
const blockSize = 16 << 10;
/** Contents below this size, in bytes, are copied: a write of one more piece costs more. */
const copyBelow = 1024;

/** Chunks that are handed in must not change any more. */
export class FrameWriter {
  #chunks: Uint8Array[] = [];
  #waiting: (() => void)[] = [];
  #block: Uint8Array = new Uint8Array();
  /** What of the block is not among the chunks yet begins here, and ends at `#at`. */
  #start = 0;
  #at = 0;
  #size = 0;

  /** Bytes that wait. */
  get size(): number {
    return this.#size;
  }

  /** All frames since the last time. */
  take(): Uint8Array[] {
    this.#closePart();
    const chunks = this.#chunks;
    this.#chunks = [];
    this.#size = 0;
    return chunks;
  }

  /** `done` is to be called when the socket has taken what has been put here so far; never, where it breaks before. */
  whenWritten(done: () => void): void {
    this.#waiting.push(done);
  }

  /** Who is to be told of the frames that have been taken. */
  takeWaiting(): readonly (() => void)[] {
    const waiting = this.#waiting;
    this.#waiting = [];
    return waiting;
  }

  raw(bytes: Uint8Array): void {
    this.#size += bytes.length;
    if (bytes.length < copyBelow) {
      this.#room(bytes.length);
      this.#block.set(bytes, this.#at);
      this.#at += bytes.length;
      return;
    }
    this.#closePart();
    this.#chunks.push(bytes);
  }

  /** The frame's content follows by `raw`. */
  head(type: number, flag: number, stream: number, size: number): void {
    this.#room(frameHeadSize);
    const block = this.#block;
    const at = this.#at;
    block[at] = size >>> 16;
    block[at + 1] = size >>> 8;
    block[at + 2] = size;
    block[at + 3] = type;
    block[at + 4] = flag;
    writeNumber(block, at + 5, stream);
    this.#at += frameHeadSize;
    this.#size += frameHeadSize;
  }

  /** In HEADERS and as many CONTINUATIONs as it takes. */
  headers(stream: number, block: Uint8Array, endStream: boolean, maxFrameSize: number): void {
    for (let at = 0; at === 0 || at < block.length; at += maxFrameSize) {
      const part = block.subarray(at, at + maxFrameSize);
      const last = at + part.length === block.length ? flags.END_HEADERS : 0;
      const end = at === 0 && endStream ? flags.END_STREAM : 0;
      this.head(
        at === 0 ? frameTypes.HEADERS : frameTypes.CONTINUATION,
        last | end,
        stream,
        part.length,
      );
      this.raw(part);
    }
  }

  settings(values: readonly (readonly [id: number, value: number])[]): void {
    const content = new Uint8Array(values.length * 6);
    values.forEach(([id, value], index) => {
      content[index * 6 + 1] = id;
      writeNumber(content, index * 6 + 2, value);
    });
    this.head(frameTypes.SETTINGS, 0, 0, content.length);
    this.raw(content);
  }

  settingsAcknowledged(): void {
    this.head(frameTypes.SETTINGS, flags.ACK, 0, 0);
  }

  ping(payload: Uint8Array, acknowledged: boolean): void {
    this.head(frameTypes.PING, acknowledged ? flags.ACK : 0, 0, payload.length);
    this.raw(payload);
  }

  reset(stream: number, code: number): void {
    this.#numbers(frameTypes.RST_STREAM, stream, code);
  }

  windowUpdate(stream: number, increment: number): void {
    this.#numbers(frameTypes.WINDOW_UPDATE, stream, increment);
  }

  goAway(lastStream: number, code: number, words: string): void {
    const content = Buffer.concat([new Uint8Array(8), Buffer.from(words)]);
    writeNumber(content, 0, lastStream);
    writeNumber(content, 4, code);
    this.head(frameTypes.GOAWAY, 0, 0, content.length);
    this.raw(content);
  }

  #numbers(type: number, stream: number, value: number): void {
    this.head(type, 0, stream, 4);
    this.#room(4);
    writeNumber(this.#block, this.#at, value);
    this.#at += 4;
    this.#size += 4;
  }

  #room(size: number): void {
    if (this.#at + size <= this.#block.length) return;
    this.#closePart();
    this.#block = Buffer.allocUnsafeSlow(blockSize);
    this.#start = 0;
    this.#at = 0;
  }

  #closePart(): void {
    if (this.#at > this.#start) this.#chunks.push(this.#block.subarray(this.#start, this.#at));
    this.#start = this.#at;
  }
}

function writeNumber(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}
