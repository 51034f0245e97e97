// From bytes to messages and back, by the types of a method's definition.
import type { Inbound } from "./inbound.ts";
import { StatusError, statusCodes } from "./status.ts";
import type { MessageType } from "./types.ts";

/** Messages passed as the bytes they are: for definitions of one's own that only hand data on. */
export const rawMessage: MessageType<Uint8Array> = {
  encode: (message) => ({ finish: () => message }),
  decode: (bytes) => bytes,
};

/**
 * As `rawMessage`, but in lists: sent together, and received as many as have come. For streams of very many small messages.
 */
export const rawBatch: MessageType<readonly Uint8Array[]> = {
  encode: () => {
    throw new Error("a list of messages has no encoding of its own");
  },
  decode: (bytes) => [bytes],
};

/** What messages of bytes look like encoded, by the message. */
const madeEncoded = new WeakMap<object, Uint8Array>();

/**
 * A message of bytes (field 1) with what `chunks`, of `size` bytes together, hold. It is put together in its encoding at
 * once, so that no byte is copied twice.
 */
export function bytesMessage(
  chunks: readonly { readonly chunk: Uint8Array }[],
  size: number,
): { data: Uint8Array } {
  const head = [0x0a];
  let rest = size;
  for (; rest >= 0x80; rest >>>= 7) head.push((rest & 0x7f) | 0x80);
  head.push(rest);
  const whole = new Uint8Array(head.length + size);
  whole.set(head);
  let at = head.length;
  for (const { chunk } of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  const message = { data: whole.subarray(head.length) };
  madeEncoded.set(message, whole);
  return message;
}

export function encoded(type: unknown, message: unknown): Uint8Array {
  const made =
    typeof message === "object" && message !== null ? madeEncoded.get(message) : undefined;
  if (made) return made;
  return (type as MessageType<unknown>).encode(message).finish();
}

/** Throws `StatusError` where a message is not what it should be. */
export async function* decoded(type: unknown, messages: Inbound): AsyncIterable<unknown> {
  if (type === rawBatch) {
    yield* messages.batches();
    return;
  }
  for await (const message of messages) {
    let value: unknown;
    try {
      value = (type as MessageType<unknown>).decode(message);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new StatusError(statusCodes.INTERNAL, `malformed message: ${why}`);
    }
    yield value;
  }
}
