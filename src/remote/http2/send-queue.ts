// Bytes of a stream that wait for its windows.
import type { FrameWriter } from "./frame-writer.ts";

const gone = new Uint8Array();

/** Chunks in their order; nothing is copied. */
export class SendQueue {
  #chunks: Uint8Array[] = [];
  /** Chunks before this one are gone, and bytes of this one before `#offset`. */
  #first = 0;
  #offset = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#chunks.push(chunk);
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
      // Whoever waits behind it must not keep it.
      this.#chunks[this.#first++] = gone;
      this.#offset = 0;
    }
    if (this.#size === 0) this.clear();
    else if (this.#first > 64) {
      this.#chunks.splice(0, this.#first);
      this.#first = 0;
    }
  }

  clear(): void {
    this.#chunks = [];
    this.#first = 0;
    this.#offset = 0;
    this.#size = 0;
  }
}
