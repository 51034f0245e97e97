// Messages that leave on a stream, as fast as the other side takes them.
import type { Http2Stream } from "node:http2";
import { concatBytes } from "../../base/index.ts";
import { messagePrefix } from "./framing.ts";
import { encoded, rawBatch } from "./messages.ts";

/** Small messages are joined with their prefix; a large one is not worth the copy. */
const joinBelow = 4096;

/** Writes one message. Resolves when more may be written; at once when the stream is gone. */
export function sendMessage(stream: Http2Stream, message: Uint8Array): Promise<void> | undefined {
  if (stream.destroyed || stream.closed || stream.writableEnded) return undefined;
  const prefix = messagePrefix(message.length);
  if (message.length < joinBelow) {
    const joined = new Uint8Array(prefix.length + message.length);
    joined.set(prefix);
    joined.set(message, prefix.length);
    return stream.write(joined) ? undefined : drained(stream);
  }
  stream.cork();
  stream.write(prefix);
  const more = stream.write(message);
  stream.uncork();
  return more ? undefined : drained(stream);
}

/** Writes one message, or several of a list, as the method's type has it. */
export function send(
  stream: Http2Stream,
  type: unknown,
  message: unknown,
): Promise<void> | undefined {
  if (type !== rawBatch) return sendMessage(stream, encoded(type, message));
  return sendBatch(stream, message as readonly Uint8Array[]);
}

/** Small messages are joined up to this size, in bytes. */
const batchSize = 64 * 1024;

function sendBatch(
  stream: Http2Stream,
  messages: readonly Uint8Array[],
): Promise<void> | undefined {
  let full: Promise<void> | undefined;
  let joined: Uint8Array[] = [];
  let size = 0;
  const flush = () => {
    if (size > 0 && !stream.destroyed && !stream.closed && !stream.writableEnded)
      full = stream.write(concatBytes(joined)) ? undefined : (full ?? drained(stream));
    joined = [];
    size = 0;
  };
  for (const message of messages) {
    if (message.length >= batchSize) {
      flush();
      full = sendMessage(stream, message) ?? full;
      continue;
    }
    joined.push(messagePrefix(message.length), message);
    size += message.length + 5;
    if (size >= batchSize) flush();
  }
  flush();
  return full;
}

function drained(stream: Http2Stream): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      stream.off("drain", done);
      stream.off("close", done);
      resolve();
    };
    stream.on("drain", done);
    stream.on("close", done);
  });
}
