// The messages of a build on disk: written once while it runs, read by any number of readers, at once or later.
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { abortable, type Call, createDigester, type Digest } from "../../base/index.ts";

/** Largest message that is believed when a file is read, in bytes. */
const maxMessage = 64 << 20;
const sizeBytes = 4;

/** Milliseconds in which messages gather before they are written. */
const gatherTime = 30;
/** Bytes of which that many are not waited for. */
const gatherSize = 1 << 20;

/** Appends messages in the reference's format (`application/vnd.buildkit.status.v0`): four bytes of size, low first, and the message. */
export class StatusLog {
  readonly path: string;
  readonly #file: number;
  readonly #digester = createDigester();
  #size = 0;
  #ended = false;
  #waiting: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;
  readonly #take: () => Uint8Array | undefined;
  #failure: unknown;

  /** `take` gives the next message, when there is one. */
  constructor(path: string, take: () => Uint8Array | undefined) {
    this.path = path;
    this.#take = take;
    this.#file = openSync(path, "w", 0o600);
  }

  /** There is something to take: soon, or at once where it is `pending` bytes already and that is much. */
  touch(pending: number): void {
    if (this.#ended) return;
    if (pending > gatherSize) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), gatherTime);
  }

  /** Writes what is left. Returns what the file is. Call once. */
  end(): { readonly digest: Digest; readonly size: number } {
    this.#flush();
    this.#ended = true;
    closeSync(this.#file);
    this.#wake();
    return { digest: this.#digester.digest(), size: this.#size };
  }

  /** All messages from the first one, then those to come, until the build has ended. */
  async *follow(call: Call): AsyncIterable<Uint8Array> {
    const file = openSync(this.path, "r");
    try {
      let at = 0;
      for (;;) {
        while (at < this.#size) {
          const message = readMessage(file, at);
          if (!message) return;
          at += sizeBytes + message.length;
          yield message;
        }
        if (this.#ended) return;
        let leave = () => {};
        const more = new Promise<void>((resolve) => {
          leave = resolve;
          this.#waiting.push(resolve);
        });
        try {
          await abortable(more, call);
        } finally {
          this.#waiting = this.#waiting.filter((one) => one !== leave);
        }
      }
    } finally {
      closeSync(file);
    }
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const message = this.#take();
    // A build goes on where its log cannot be written, such as on a full disk; readers see what was.
    if (!message || this.#failure) return;
    const framed = new Uint8Array(sizeBytes + message.length);
    new DataView(framed.buffer).setUint32(0, message.length, true);
    framed.set(message, sizeBytes);
    try {
      for (let at = 0; at < framed.length; ) at += writeSync(this.#file, framed, at);
    } catch (error) {
      this.#failure = error;
      return;
    }
    this.#digester.update(framed);
    this.#size += framed.length;
    this.#wake();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}

/** The messages of a file that nobody writes to any more; ends where it is cut off. */
export function* readStatusLog(path: string): Iterable<Uint8Array> {
  const file = openSync(path, "r");
  try {
    for (let at = 0; ; ) {
      const message = readMessage(file, at);
      if (!message) return;
      at += sizeBytes + message.length;
      yield message;
    }
  } finally {
    closeSync(file);
  }
}

function readMessage(file: number, at: number): Uint8Array | undefined {
  const head = readExactly(file, at, sizeBytes);
  if (!head) return undefined;
  const size = new DataView(head.buffer, head.byteOffset).getUint32(0, true);
  return size > maxMessage ? undefined : readExactly(file, at + sizeBytes, size);
}

function readExactly(file: number, at: number, size: number): Uint8Array | undefined {
  const bytes = new Uint8Array(size);
  for (let have = 0; have < size; ) {
    const read = readSync(file, bytes, have, size - have, at + have);
    if (read === 0) return undefined;
    have += read;
  }
  return bytes;
}
