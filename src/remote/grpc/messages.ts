// From bytes to messages and back, by the types of a method's definition.
import { concatBytes } from "../../base/index.ts";
import { BytesPieces } from "./bytes-pieces.ts";
import { MessageParser, type MessageSource } from "./framing.ts";
import type { Inbound } from "./inbound.ts";
import { StatusError, statusCodes } from "./status.ts";
import type { MessageType } from "./types.ts";

/** Messages passed as the bytes they are: for definitions of one's own that only hand data on. */
export const rawMessage: MessageType<Uint8Array> = {
  encode: (message) => ({ finish: () => message }),
  decode: (bytes) => bytes,
};

/** One message whose parts are sent one after the other as they are, so that no copy of a large one is made. */
export class MessageParts {
  readonly parts: readonly Uint8Array[];
  /** Bytes of all parts. */
  readonly length: number;
  readonly sent: (() => void) | undefined;

  /** The parts must not be written to before `sent`, which is never called where the call ends before they are sent. */
  constructor(parts: readonly Uint8Array[], sent?: () => void) {
    this.parts = parts;
    this.sent = sent;
    this.length = parts.reduce((sum, { length }) => sum + length, 0);
  }
}

/** What may stand in a list of `rawBatch` that is sent. */
export type OutgoingMessage = Uint8Array | MessageParts;

/**
 * As `rawMessage`, but in lists: sent together, and received as many as have come. For streams of very many small messages.
 */
export const rawBatch: MessageType<readonly Uint8Array[], readonly OutgoingMessage[]> = {
  encode: () => {
    throw new Error("a list of messages has no encoding of its own");
  },
  decode: (bytes) => [bytes],
};

/**
 * Messages of bytes (field 1) whose borders mean nothing: received piece by piece, as the bytes come, without a copy. For
 * tunnels.
 */
export const streamedBytes: MessageType<{ data: Uint8Array }> = {
  encode: ({ data }) => ({ finish: () => concatBytes([bytesHead(data.length), data]) }),
  decode: (data) => ({ data }),
};

/** What a message of bytes (field 1) begins with. */
function bytesHead(size: number): Uint8Array {
  const head = [0x0a];
  let rest = size;
  for (; rest >= 0x80; rest >>>= 7) head.push((rest & 0x7f) | 0x80);
  head.push(rest);
  return Uint8Array.from(head);
}

/** A message of bytes (field 1) with what several chunks hold, which are sent as they are. */
export class GatheredBytes extends MessageParts {
  readonly #chunks: readonly Uint8Array[];

  constructor(chunks: readonly Uint8Array[], sent?: () => void) {
    super([bytesHead(chunks.reduce((sum, { length }) => sum + length, 0)), ...chunks], sent);
    this.#chunks = chunks;
  }

  /** A copy, after which the chunks are not needed any more. */
  get data(): Uint8Array {
    const copy = Uint8Array.from(concatBytes(this.#chunks));
    this.sent?.();
    return copy;
  }
}

/** An encoded message. */
export function partsOf(type: unknown, message: unknown): MessageParts {
  if (message instanceof MessageParts) return message;
  return new MessageParts([(type as MessageType<unknown>).encode(message).finish()]);
}

/** What makes messages of `type`, or what stands for them, out of a stream's bytes. */
export function sourceOf(
  type: unknown,
  limit: number,
  encoding: () => string | undefined,
): MessageSource {
  return type === streamedBytes ? new BytesPieces(limit) : new MessageParser(limit, encoding);
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
