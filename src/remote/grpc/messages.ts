// From bytes to messages and back, by the types of a method's definition.
import { StatusError, statusCodes } from "./status.ts";
import type { MessageType } from "./types.ts";

/** Messages passed as the bytes they are: for definitions of one's own that only hand data on. */
export const rawMessage: MessageType<Uint8Array> = {
  encode: (message) => ({ finish: () => message }),
  decode: (bytes) => bytes,
};

export function encoded(type: unknown, message: unknown): Uint8Array {
  return (type as MessageType<unknown>).encode(message).finish();
}

/** Throws `StatusError` where a message is not what it should be. */
export async function* decoded(
  type: unknown,
  messages: AsyncIterable<Uint8Array>,
): AsyncIterable<unknown> {
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
