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

export function encoded(type: unknown, message: unknown): Uint8Array {
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
