// Packets on their way out: pushed by several, taken in batches by the one who sends them.

import type { OutgoingMessage } from "../../grpc/index.ts";

/** Bytes that may wait before whoever pushes has to wait too. */
const highWater = 4 << 20;

export class Outbox<Packet extends OutgoingMessage = Uint8Array>
  implements AsyncIterable<readonly Packet[]>
{
  #packets: Packet[] = [];
  #waiting = 0;
  #ended = false;
  #failure: { readonly error: unknown } | undefined;
  #wakeReader: (() => void) | undefined;
  #wakeWriters: (() => void)[] = [];

  /** Resolves when more may be pushed; undefined when that is now. Nothing is taken after the end. */
  push(packet: Packet): Promise<void> | undefined {
    if (this.#ended) return undefined;
    this.#packets.push(packet);
    // An empty packet takes room too.
    this.#waiting += packet.length + 16;
    this.#wakeReader?.();
    if (this.#waiting < highWater) return undefined;
    return new Promise((resolve) => this.#wakeWriters.push(resolve));
  }

  /** What was pushed is still sent. */
  end(): void {
    this.#ended = true;
    this.#wakeReader?.();
    this.#letWritersGo();
  }

  /** The one who sends is told, after what was pushed. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.end();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<readonly Packet[], void> {
    try {
      for (;;) {
        if (this.#packets.length > 0) {
          const batch = this.#packets;
          this.#packets = [];
          this.#waiting = 0;
          this.#letWritersGo();
          yield batch;
          continue;
        }
        if (this.#failure) throw this.#failure.error;
        if (this.#ended) return;
        await new Promise<void>((resolve) => {
          this.#wakeReader = resolve;
        });
        this.#wakeReader = undefined;
      }
    } finally {
      this.end();
    }
  }

  #letWritersGo(): void {
    const writers = this.#wakeWriters;
    this.#wakeWriters = [];
    for (const wake of writers) wake();
  }
}
