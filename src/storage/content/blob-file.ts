// A file that a blob is written to: bytes go to the kernel and on to the disk while more of them are made.
import { closeSync, fdatasync, openSync, write, writeSync } from "node:fs";

/** From this on, a turn in the thread pool costs less than waiting for the kernel to take the bytes. */
const largeWrite = 128 * 1024;
/** Writes under way at once: the thread pool may have longer work to do before it comes to them. */
const ahead = 3;
/** After so many bytes the disk is told to begin, so that little is left to wait for at the end. */
const flushEvery = 64 * 1024 * 1024;

/** Whoever made it ends it, by `finish` or by `abandon`. */
export class BlobFile {
  readonly #file: number;
  readonly #writing: Promise<void>[] = [];
  #flushing: Promise<void> | undefined;
  #size = 0;
  #flushed = 0;
  #closed = false;

  /** Makes `path`, which must not exist unless `flags` say otherwise. */
  constructor(path: string, flags = "wx") {
    this.#file = openSync(path, flags, 0o600);
  }

  /** Bytes taken. */
  get size(): number {
    return this.#size;
  }

  /** Takes the bytes, which must not change any more; some of them may be on their way still. Throws for earlier ones too. */
  async append(chunk: Uint8Array): Promise<void> {
    const position = this.#size;
    this.#size += chunk.length;
    if (chunk.length < largeWrite) {
      for (let at = 0; at < chunk.length; )
        at += writeSync(this.#file, chunk, at, chunk.length - at, position + at);
      return;
    }
    while (this.#writing.length >= ahead) await this.#writing.shift();
    const writing = writeSoon(this.#file, chunk, position);
    writing.catch(() => {});
    this.#writing.push(writing);
    this.#flushBehind();
  }

  /** Everything is on the disk, and the file closed. */
  async finish(): Promise<void> {
    for (const writing of this.#writing) await writing;
    await this.#flushing;
    await flush(this.#file);
    this.#close();
  }

  /** Closes the file, whatever is in it. Its number must not be another file's while somebody still writes to it. */
  async abandon(): Promise<void> {
    await Promise.allSettled([...this.#writing, this.#flushing]);
    this.#close();
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.#file);
  }

  #flushBehind(): void {
    if (this.#flushing || this.#size - this.#flushed < flushEvery) return;
    this.#flushed = this.#size;
    this.#flushing = flush(this.#file);
    this.#flushing.then(
      () => {
        this.#flushing = undefined;
      },
      // Stays, for the end to meet it: what the kernel could not write it reports but once.
      () => {},
    );
  }
}

function flush(file: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fdatasync(file, (error) => (error ? reject(error) : resolve()));
  });
}

async function writeSoon(file: number, chunk: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < chunk.length; ) {
    at += await new Promise<number>((resolve, reject) => {
      write(file, chunk, at, chunk.length - at, position + at, (error, count) =>
        error ? reject(error) : resolve(count),
      );
    });
  }
}
