// Bytes of a stream that wait for its windows.
import type { FrameWriter } from "./frame-writer.ts";

const gone = new Uint8Array();

/** Chunks in their order; nothing is copied. */
export class SendQueue {
  #chunks: Uint8Array[] = [];
  /** Of each chunk, who is told that it is no longer needed. */
  #sent: ((() => void) | undefined)[] = [];
  /** Chunks before this one are gone, and bytes of this one before `#offset`. */
  #first = 0;
  #offset = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** `sent`: see `FrameWriter.whenWritten`. */
  push(chunk: Uint8Array, sent?: () => void): void {
    if (chunk.length === 0) {
      sent?.();
      return;
    }
    this.#chunks.push(chunk);
    this.#sent.push(sent);
    this.#size += chunk.length;
  }

  /** `size` is no more than what waits. */
  moveTo(frames: FrameWriter, size: number): void {
    this.#size -= size;
    for (let left = size; left > 0; ) {
      const chunk = this.#chunks[this.#first] as Uint8Array;
      const part = chunk.subarray(this.#offset, this.#offset + left);
      frames.raw(part);
      left -= part.length;
      this.#offset += part.length;
      if (this.#offset < chunk.length) return;
      const sent = this.#sent[this.#first];
      if (sent) frames.whenWritten(sent);
      // Whoever waits behind it must not keep it.
      this.#chunks[this.#first] = gone;
      this.#sent[this.#first++] = undefined;
      this.#offset = 0;
    }
    if (this.#size === 0) this.clear();
    else if (this.#first > 64) {
      this.#chunks.splice(0, this.#first);
      this.#sent.splice(0, this.#first);
      this.#first = 0;
    }
  }

  clear(): void {
    this.#chunks = [];
    this.#sent = [];
    this.#first = 0;
    this.#offset = 0;
    this.#size = 0;
  }
}
