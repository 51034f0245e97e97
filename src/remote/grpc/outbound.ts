// Messages that leave on a stream, as fast as the other side takes them.
import { concatBytes } from "../../base/index.ts";
import type { Stream } from "../http2/index.ts";
import { messagePrefix } from "./framing.ts";
import { encoded, MessageParts, type OutgoingMessage, rawBatch } from "./messages.ts";

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
        : this.#message(encoded(type, message));
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

  #message(parts: readonly Uint8Array[]): boolean {
    let size = 0;
    for (const part of parts) size += part.length;
    let more = this.#stream.write(messagePrefix(size));
    for (const part of parts) more = this.#stream.write(part);
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
        more = this.#message(message instanceof MessageParts ? message.parts : [message]);
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
