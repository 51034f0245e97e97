// A byte stream through a call that carries messages of bytes in both directions.
import { Duplex } from "node:stream";
import { GatheredBytes } from "./messages.ts";

/** Control.Session's and the SSH forwarding's messages. */
export interface BytesMessage {
  readonly data: Uint8Array;
}

/** Largest piece that one message carries, in bytes; below every peer's limit. */
const maxPiece = 1 << 20;

/** One end of a tunnel. */
export interface Tunnel {
  /** Whoever reads and writes here talks to the other end. Destroying it ends the tunnel. */
  readonly socket: Duplex;
  /** What is to be sent for it, until the socket has ended. */
  readonly outgoing: AsyncIterable<{ data: Uint8Array }>;
}

/** A tunnel that receives `incoming`: on the serving side the call's requests, while `outgoing` are its answers. */
export function tunnel(incoming: AsyncIterable<BytesMessage>): Tunnel {
  const queue: { chunk: Uint8Array; done: () => void }[] = [];
  let ended = false;
  let wake = () => {};
  let source: AsyncIterator<BytesMessage> | undefined;
  const finish = () => {
    ended = true;
    wake();
  };
  const socket = new Duplex({
    read() {
      source ??= incoming[Symbol.asyncIterator]();
      void readOne(source, socket);
    },
    writev(chunks, callback) {
      const last = chunks.length - 1;
      chunks.forEach(({ chunk }, index) => {
        queue.push({ chunk, done: index === last ? callback : () => {} });
      });
      wake();
    },
    final(callback) {
      finish();
      callback();
    },
    destroy(error, callback) {
      finish();
      void Promise.resolve(source?.return?.()).catch(() => {});
      callback(error);
    },
  });
  return {
    socket,
    outgoing: drain(
      queue,
      () => ended,
      (next) => {
        wake = next;
      },
    ),
  };
}

/** A tunnel over a call that is made with what it sends: on the asking side. */
export function openTunnel(
  call: (outgoing: AsyncIterable<{ data: Uint8Array }>) => AsyncIterable<BytesMessage>,
): Duplex {
  const answers = new Late<BytesMessage>();
  const { socket, outgoing } = tunnel(answers);
  answers.source = call(outgoing);
  return socket;
}

/** Reads until the socket has enough. */
async function readOne(source: AsyncIterator<BytesMessage>, socket: Duplex): Promise<void> {
  try {
    for (;;) {
      const next = await source.next();
      if (socket.destroyed) return;
      if (next.done) {
        socket.push(null);
        return;
      }
      // An empty chunk would not wake the reader again.
      if (next.value.data.length === 0) continue;
      socket.push(next.value.data);
      return;
    }
  } catch (error) {
    socket.destroy(error instanceof Error ? error : new Error(String(error)));
  }
}

async function* drain(
  queue: { chunk: Uint8Array; done: () => void }[],
  ended: () => boolean,
  onWake: (wake: () => void) => void,
): AsyncIterable<{ data: Uint8Array }> {
  for (;;) {
    while (queue.length > 0) {
      yield* gathered(queue);
    }
    if (ended()) return;
    await new Promise<void>((resolve) => onWake(resolve));
  }
}

/** Takes from the queue what fits in one message, or a large chunk in several. */
function gathered(
  queue: { chunk: Uint8Array; done: () => void }[],
): readonly { data: Uint8Array }[] {
  let count = 0;
  let size = 0;
  for (const { chunk } of queue) {
    if (count > 0 && size + chunk.length > maxPiece) break;
    size += chunk.length;
    count++;
  }
  const taken = queue.splice(0, count);
  const sent = () => {
    for (const { done } of taken) done();
  };
  const [first] = taken;
  if (count === 1 && first && size > maxPiece) {
    const messages: { data: Uint8Array }[] = [];
    for (let at = 0; at < size; at += maxPiece) {
      const part = first.chunk.subarray(at, at + maxPiece);
      messages.push(new GatheredBytes([part], at + maxPiece >= size ? sent : undefined));
    }
    return messages;
  }
  return [
    new GatheredBytes(
      taken.map(({ chunk }) => chunk),
      sent,
    ),
  ];
}

/** Messages of a source that is known only later, before the first of them is asked for. */
class Late<T> implements AsyncIterable<T> {
  source: AsyncIterable<T> | undefined;

  [Symbol.asyncIterator](): AsyncIterator<T> {
    if (!this.source) throw new Error("read before the call was made");
    return this.source[Symbol.asyncIterator]();
  }
}
