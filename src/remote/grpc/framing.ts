// Messages on a stream: one byte of flags, four of length, the message (gRPC over HTTP/2, Length-Prefixed-Message).
import { gunzipSync } from "node:zlib";
import { concatBytes } from "../../base/index.ts";
import { StatusError, statusCodes } from "./status.ts";

/** Largest message that is taken where nobody says otherwise, in bytes: the reference's. */
export const defaultMaxMessageSize: number = 16 << 20;

const prefixSize = 5;

/** What goes before a message of `size` bytes; messages go out uncompressed. */
export function messagePrefix(size: number): Uint8Array {
  const prefix = new Uint8Array(prefixSize);
  new DataView(prefix.buffer).setUint32(1, size);
  return prefix;
}

/** Puts messages together from chunks as they come. Throws `StatusError` for what no message looks like. */
export class MessageParser {
  readonly #limit: number;
  /** Value of `grpc-encoding`, asked for at the first compressed message. */
  readonly #encoding: () => string | undefined;
  #chunks: Uint8Array[] = [];
  #have = 0;
  #wanted = prefixSize;
  #compressed: boolean | undefined;

  constructor(limit: number, encoding: () => string | undefined) {
    this.#limit = limit;
    this.#encoding = encoding;
  }

  /** True between messages: ending here is no mistake. */
  get atRest(): boolean {
    return this.#have === 0 && this.#compressed === undefined;
  }

  /** The messages that `chunk` completes. */
  push(chunk: Uint8Array): Uint8Array[] {
    const messages: Uint8Array[] = [];
    this.#chunks.push(chunk);
    this.#have += chunk.length;
    while (this.#have >= this.#wanted) {
      const bytes = this.#take(this.#wanted);
      if (this.#compressed === undefined) this.#readPrefix(bytes);
      else {
        messages.push(this.#compressed ? this.#unpacked(bytes) : bytes);
        this.#compressed = undefined;
        this.#wanted = prefixSize;
      }
    }
    return messages;
  }

  #readPrefix(prefix: Uint8Array): void {
    const flags = prefix[0] ?? 0;
    const size = new DataView(prefix.buffer, prefix.byteOffset).getUint32(1);
    if (flags > 1)
      throw new StatusError(statusCodes.INTERNAL, `message with unknown flags ${flags}`);
    if (size > this.#limit) throw tooLarge(size, this.#limit);
    this.#compressed = flags === 1;
    this.#wanted = size;
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

  #take(size: number): Uint8Array {
    const taken: Uint8Array[] = [];
    for (let left = size; left > 0; ) {
      const [first] = this.#chunks as [Uint8Array];
      if (first.length <= left) {
        this.#chunks.shift();
        taken.push(first);
        left -= first.length;
      } else {
        taken.push(first.subarray(0, left));
        this.#chunks[0] = first.subarray(left);
        left = 0;
      }
    }
    this.#have -= size;
    return concatBytes(taken);
  }
}

function tooLarge(size: number | undefined, limit: number): StatusError {
  const found = size === undefined ? "is" : `of ${size} bytes is`;
  const message = `received message ${found} larger than max (${limit} bytes)`;
  return new StatusError(statusCodes.RESOURCE_EXHAUSTED, message);
}
