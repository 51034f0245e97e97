// Messages that leave on a stream, as fast as the other side takes them.
import type { Http2Stream } from "node:http2";
import { messagePrefix } from "./framing.ts";

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
