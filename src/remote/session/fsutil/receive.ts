// The receiving half of fsutil: a list as it comes, and the contents of what is asked for.
import type { FileEntry, SharedFiles, TakeChunk } from "../../../api/index.ts";
import { abortReason, type Call, KilnError } from "../../../base/index.ts";
import { Writer } from "./fields.ts";
import { Outbox } from "./outbox.ts";
import { decodePacket, encodeError, encodeFin, encodeRequest } from "./packet.ts";
import { type Packets, told, unexpected, writerRoom } from "./send.ts";

/** The list is no longer read on while so many entries wait for their reader. */
const maxWaiting = 64 * 1024;

/** How long a sender may take for its last word, in milliseconds: all files are there by then. */
const lastWordPatience = 10_000;

const finished = Promise.resolve();

/** Makes the call: what goes out, to what comes in. Its call is aborted when nobody wants the files any more. */
export type OpenPackets = (outgoing: Packets, call: Call) => Packets;

/** Files that the other side sends. Disposing ends the transfer: in peace where all that was asked for has come. */
export function receiveFiles(open: OpenPackets, call: Call): SharedFiles {
  return new Receiver(open, call);
}

interface Reading {
  readonly take: TakeChunk;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

class Receiver implements SharedFiles {
  readonly entries: AsyncIterable<readonly FileEntry[]> = this.#list();
  readonly #outbox = new Outbox();
  readonly #writer = new Writer(writerRoom);
  readonly #stop = new AbortController();
  readonly #readings = new Map<number, Reading>();
  readonly #ended: Promise<void>;
  #batch: FileEntry[] = [];
  #listEnded = false;
  /** This side has said that it has all it wants. */
  #hasAll = false;
  /** And the other side has answered. */
  #finished = false;
  #failure: { readonly error: unknown } | undefined;
  #wakeReader: (() => void) | undefined;
  #wakePump: (() => void) | undefined;

  constructor(open: OpenPackets, call: Call) {
    const signal = AbortSignal.any([call.signal, this.#stop.signal]);
    this.#ended = this.#pump(open, { signal }).catch((error: unknown) => this.#fail(error));
  }

  read(index: number, take: TakeChunk, call: Call): Promise<void> {
    if (this.#failure) return Promise.reject(this.#failure.error);
    if (this.#readings.has(index))
      return Promise.reject(new Error(`file ${index} is being read already`));
    return new Promise((resolve, reject) => {
      const abort = () => this.#fail(call.signal.reason);
      this.#readings.set(index, {
        take,
        done: resolve,
        failed: reject,
      });
      if (call.signal.aborted) abort();
      void this.#outbox.push(encodeRequest(index, this.#writer));
      this.#wakePump?.();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#failure && this.#listEnded && this.#readings.size === 0) {
      this.#hasAll = true;
      void this.#outbox.push(encodeFin());
      this.#outbox.end();
      const timer = setTimeout(
        () => this.#stop.abort(abortReason("the sender of files did not come to an end")),
        lastWordPatience,
      );
      await this.#ended;
      clearTimeout(timer);
      return;
    }
    const { error } = this.#failure ?? { error: undefined };
    if (error !== undefined)
      void this.#outbox.push(encodeError(error instanceof Error ? error.message : String(error)));
    this.#outbox.end();
    this.#fail(abortReason("the files are no longer wanted"));
    this.#stop.abort(abortReason("the files are no longer wanted"));
  }

  async *#list(): AsyncGenerator<readonly FileEntry[], void> {
    for (;;) {
      if (this.#batch.length > 0) {
        const batch = this.#batch;
        this.#batch = [];
        this.#wakePump?.();
        yield batch;
        continue;
      }
      if (this.#failure) throw this.#failure.error;
      if (this.#listEnded) return;
      await new Promise<void>((resolve) => {
        this.#wakeReader = resolve;
      });
    }
  }

  async #pump(open: OpenPackets, call: Call): Promise<void> {
    for await (const batch of open(this.#outbox, call)) {
      for (const bytes of batch) {
        const waiting = this.#take(bytes);
        if (waiting !== undefined) await waiting;
      }
      this.#wakeReader?.();
      // Whoever waits for contents cannot take entries: only an idle reader is waited for.
      while (this.#batch.length > maxWaiting && this.#readings.size === 0 && !this.#failure) {
        await new Promise<void>((resolve) => {
          this.#wakePump = resolve;
        });
      }
    }
    if (!this.#finished) throw new KilnError("REQUEST_INVALID", "the sender of files broke off");
  }

  #take(bytes: Uint8Array): void | Promise<void> {
    // After its last word a sender may only close the stream.
    if (this.#finished) throw unexpected("more after the end");
    const packet = decodePacket(bytes);
    switch (packet.type) {
      case "data":
        return this.#data(packet.id, packet.data);
      case "stat":
        if (this.#listEnded) throw unexpected("an entry after the end of the list");
        if (packet.entry) this.#batch.push(packet.entry);
        else {
          this.#listEnded = true;
          this.#wakeReader?.();
        }
        return;
      case "fin":
        if (!this.#hasAll) throw unexpected("an end before the end");
        this.#finished = true;
        return;
      case "error":
        throw told(packet.message);
      case "request":
        throw unexpected("a request from the sender");
    }
  }

  #data(id: number, data: Uint8Array): void | Promise<void> {
    const reading = this.#readings.get(id);
    if (!reading) throw unexpected(`contents of file ${id}, which nobody asked for`);
    if (data.length > 0) return reading.take(data);
    this.#readings.delete(id);
    reading.done();
    // Whoever reads finishes this file before others come.
    return finished;
  }

  #fail(error: unknown): void {
    if (this.#finished) return;
    this.#failure ??= { error };
    for (const reading of this.#readings.values()) reading.failed(this.#failure.error);
    this.#readings.clear();
    this.#wakeReader?.();
    this.#wakePump?.();
    if (error === this.#failure.error && !this.#stop.signal.aborted) {
      void this.#outbox.push(encodeError(error instanceof Error ? error.message : String(error)));
      this.#outbox.end();
    }
  }
}
