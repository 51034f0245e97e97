// Messages on a stream: one byte of flags, four of length, the message (gRPC over HTTP/2, Length-Prefixed-Message).
import { gunzipSync } from "node:zlib";
import { concatBytes } from "../../base/index.ts";
import { StatusError, statusCodes } from "./status.ts";

/** Largest message that is taken where nobody says otherwise, in bytes: the reference's. */
export const defaultMaxMessageSize: number = 16 << 20;

const prefixSize = 5;

/** What goes before a message of `size` bytes; messages go out uncompressed. */
export function messagePrefix(size: number): Uint8Array {
  return Uint8Array.of(0, size >>> 24, size >>> 16, size >>> 8, size);
}

/** Messages out of bytes as they come. `ready` and `next` throw `StatusError` for what no message looks like. */
export interface MessageSource {
  /** The chunk must not change any more. */
  push(chunk: Uint8Array): void;
  /** `next` has something to give. */
  readonly ready: boolean;
  /** Bytes that have come and were not given out. */
  readonly waiting: number;
  next(): Uint8Array | undefined;
  /** Throws where the stream must not end here. */
  checkEnd(): void;
  /** Forgets what has come. */
  clear(): void;
}

const gone = new Uint8Array();

/** Bytes in their order, in the chunks in which they came. */
export class ByteQueue {
  #chunks: Uint8Array[] = [];
  #first = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.#size += chunk.length;
  }

  /** A copy of the first bytes, as many as there are. */
  peek(size: number): Uint8Array {
    const found: number[] = [];
    for (let at = this.#first; found.length < size && at < this.#chunks.length; at++)
      found.push(...(this.#chunks[at] as Uint8Array).subarray(0, size - found.length));
    return Uint8Array.from(found);
  }

  /** A copy only where the bytes are in several chunks; `size` is no more than what is there. */
  take(size: number): Uint8Array {
    const taken: Uint8Array[] = [];
    for (let left = size; left > 0; ) {
      const part = this.takePart(left);
      taken.push(part);
      left -= part.length;
    }
    const [only] = taken;
    return only && taken.length === 1 ? only : concatBytes(taken);
  }

  /** Some bytes of the first chunk, `most` of them at most. There must be some. */
  takePart(most: number): Uint8Array {
    const chunk = this.#chunks[this.#first] as Uint8Array;
    const part = chunk.length <= most ? chunk : chunk.subarray(0, most);
    this.#size -= part.length;
    if (part.length < chunk.length) this.#chunks[this.#first] = chunk.subarray(most);
    else this.#drop();
    return part;
  }

  clear(): void {
    this.#chunks = [];
    this.#first = 0;
    this.#size = 0;
  }

  #drop(): void {
    // Whatever waits behind it must not keep it.
    this.#chunks[this.#first++] = gone;
    if (this.#size === 0) this.clear();
    else if (this.#first > 256) {
      this.#chunks.splice(0, this.#first);
      this.#first = 0;
    }
  }
}

/** What the five bytes before a message say. Throws where it is no message, or one over `limit`. */
export function readPrefix(
  prefix: Uint8Array,
  limit: number,
): { readonly compressed: boolean; readonly size: number } {
  const flags = prefix[0] ?? 0;
  const size = new DataView(prefix.buffer, prefix.byteOffset).getUint32(1);
  if (flags > 1) throw new StatusError(statusCodes.INTERNAL, `message with unknown flags ${flags}`);
  if (size > limit) throw tooLarge(size, limit);
  return { compressed: flags === 1, size };
}

export function endedInside(): StatusError {
  return new StatusError(statusCodes.INTERNAL, "stream ended inside a message");
}

/** Whole messages. */
export class MessageParser implements MessageSource {
  readonly #limit: number;
  /** Value of `grpc-encoding`, asked for at the first compressed message. */
  readonly #encoding: () => string | undefined;
  readonly #bytes = new ByteQueue();
  #head: { readonly compressed: boolean; readonly size: number } | undefined;

  constructor(limit: number, encoding: () => string | undefined) {
    this.#limit = limit;
    this.#encoding = encoding;
  }

  get waiting(): number {
    return this.#bytes.size;
  }

  get ready(): boolean {
    if (!this.#head) {
      if (this.#bytes.size < prefixSize) return false;
      this.#head = readPrefix(this.#bytes.take(prefixSize), this.#limit);
    }
    return this.#bytes.size >= this.#head.size;
  }

  push(chunk: Uint8Array): void {
    this.#bytes.push(chunk);
  }

  next(): Uint8Array | undefined {
    if (!this.ready || !this.#head) return undefined;
    const { compressed, size } = this.#head;
    this.#head = undefined;
    const bytes = this.#bytes.take(size);
    return compressed ? this.#unpacked(bytes) : bytes;
  }

  checkEnd(): void {
    if (this.#head || this.#bytes.size > 0) throw endedInside();
  }

  clear(): void {
    this.#bytes.clear();
    this.#head = undefined;
  }

  #unpacked(bytes: Uint8Array): Uint8Array {
    const encoding = this.#encoding() ?? "identity";
    if (encoding !== "gzip") {
      const message = `message compressed with ${JSON.stringify(encoding)}, which is not supported`;
      throw new StatusError(statusCodes.UNIMPLEMENTED, message);
    }
    try {
      return gunzipSync(bytes, { maxOutputLength: this.#limit });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE")
        throw tooLarge(undefined, this.#limit);
      throw new StatusError(statusCodes.INTERNAL, "compressed message that is no gzip stream");
    }
  }
}

function tooLarge(size: number | undefined, limit: number): StatusError {
  const found = size === undefined ? "is" : `of ${size} bytes is`;
  const message = `received message ${found} larger than max (${limit} bytes)`;
  return new StatusError(statusCodes.RESOURCE_EXHAUSTED, message);
}
