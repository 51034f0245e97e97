// Messages that leave on a stream, as fast as the other side takes them.
import { concatBytes } from "../../base/index.ts";
import type { Stream } from "../http2/index.ts";
import { messagePrefix } from "./framing.ts";
import { MessageParts, type OutgoingMessage, partsOf, rawBatch, rawMessage } from "./messages.ts";

/** Small messages are joined up to this size, in bytes. */
const batchSize = 64 * 1024;

/** One writer. */
export class Outbound {
  readonly #stream: Stream;
  #wake: (() => void) | undefined;

  constructor(stream: Stream) {
    this.#stream = stream;
  }

  /** Writes one message, or several of a list, as `type` has it. Resolves when more may be written; undefined is now. */
  send(type: unknown, message: unknown): Promise<void> | undefined {
    const more =
      type === rawBatch
        ? this.#batch(message as readonly OutgoingMessage[])
        : this.#message(partsOf(type, message));
    if (more || this.#stream.closed) return undefined;
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  /** More may be written, or nothing any more. */
  drained(): void {
    this.#wake?.();
    this.#wake = undefined;
  }

  #message({ parts, length, sent }: MessageParts): boolean {
    let more = this.#stream.write(messagePrefix(length));
    const last = parts.length - 1;
    parts.forEach((part, at) => {
      more = this.#stream.write(part, at === last ? sent : undefined);
    });
    return more;
  }

  #batch(messages: readonly OutgoingMessage[]): boolean {
    let more = true;
    let joined: Uint8Array[] = [];
    let size = 0;
    const flush = () => {
      if (size > 0) more = this.#stream.write(concatBytes(joined));
      joined = [];
      size = 0;
    };
    for (const message of messages) {
      if (message instanceof MessageParts || message.length >= batchSize) {
        flush();
        more = this.#message(partsOf(rawMessage, message));
        continue;
      }
      joined.push(messagePrefix(message.length), message);
      size += message.length + 5;
      if (size >= batchSize) flush();
    }
    flush();
    return more;
  }
}
