// The sending half of fsutil: tells the list, and the contents of what the other side asks for.
import type { SharedFiles, TakeChunk } from "../../../api/index.ts";
import { abortReason, type Call, KilnError } from "../../../base/index.ts";
import { MessageParts, type OutgoingMessage } from "../../grpc/index.ts";
import { Writer } from "./fields.ts";
import { Outbox } from "./outbox.ts";
import { decodePacket, encodeData, encodeDataHead, encodeFin, endOfList } from "./packet.ts";
import { encodeStat } from "./stat.ts";

/** Packets, as many as came together. */
export type Packets = AsyncIterable<readonly Uint8Array[]>;

/** Packets to be sent. */
export type OutgoingPackets = AsyncIterable<readonly OutgoingMessage[]>;

/** Files that are read at once: enough to keep a disk busy while the network takes what was read. */
const readers = 4;
/** Largest piece in one packet, in bytes: every peer takes 4 MiB. */
const pieceSize = 1 << 20;
/** From this size on, in bytes, contents are sent from where they were read to. */
const largeChunk = 64 * 1024;
/** Small packets share pieces of memory of this size, in bytes. */
export const writerRoom: number = 64 * 1024;
/** Requests that may wait. Nobody needs to ask twice, so this only stops who asks without end. */
const maxRequests = 8_000_000;

/** Sends `files`, which are lent, as `incoming` asks for them; ends when the other side has all it wants. */
export async function* sendFiles(
  files: SharedFiles,
  incoming: Packets,
  call: Call,
): OutgoingPackets {
  const stop = new AbortController();
  const signal = AbortSignal.any([call.signal, stop.signal]);
  const outbox = new Outbox<OutgoingMessage>();
  const sender = new Sender(files, outbox, { signal });
  const work = Promise.all([sender.list(), sender.serve(incoming)]);
  work.then(
    () => outbox.end(),
    (error: unknown) => outbox.fail(error),
  );
  const cancel = () => outbox.fail(call.signal.reason);
  call.signal.addEventListener("abort", cancel, { once: true });
  try {
    yield* outbox;
  } finally {
    call.signal.removeEventListener("abort", cancel);
    stop.abort(abortReason("the files are no longer wanted"));
  }
}

class Sender {
  readonly #files: SharedFiles;
  readonly #outbox: Outbox<OutgoingMessage>;
  readonly #call: Call;
  readonly #writer = new Writer(writerRoom);
  readonly #requests: number[] = [];
  #next = 0;
  #active = 0;
  #finishing = false;
  #idle: (() => void) | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(files: SharedFiles, outbox: Outbox<OutgoingMessage>, call: Call) {
    this.#files = files;
    this.#outbox = outbox;
    this.#call = call;
  }

  async list(): Promise<void> {
    for await (const batch of this.#files.entries) {
      for (const entry of batch) {
        const full = this.#outbox.push(encodeStat(entry, this.#writer));
        if (full !== undefined) await full;
      }
      this.#call.signal.throwIfAborted();
    }
    void this.#outbox.push(endOfList);
  }

  /** Resolves when the other side has said that it has all. */
  async serve(incoming: Packets): Promise<void> {
    for await (const batch of incoming) {
      // After its last word the other side is listened to until it hangs up: leaving early would look like a failure.
      if (this.#finishing) continue;
      for (const bytes of batch) {
        const packet = decodePacket(bytes);
        if (packet.type === "request") this.#request(packet.id);
        else if (packet.type === "fin") await this.#finish();
        else if (packet.type === "error") throw told(packet.message);
        else throw unexpected(packet.type);
      }
      if (this.#failure) throw this.#failure.error;
    }
    if (!this.#finishing) throw new KilnError("REQUEST_INVALID", "the receiver of files broke off");
  }

  async #finish(): Promise<void> {
    this.#finishing = true;
    if (this.#active > 0) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    }
    if (this.#failure) throw this.#failure.error;
    void this.#outbox.push(encodeFin());
    this.#outbox.end();
  }

  #request(id: number): void {
    if (this.#requests.length - this.#next >= maxRequests)
      throw new KilnError(
        "REQUEST_INVALID",
        `more than ${maxRequests} files were asked for at once`,
      );
    this.#requests.push(id);
    if (this.#active < readers) void this.#work();
  }

  async #work(): Promise<void> {
    this.#active++;
    try {
      for (let id = this.#requests[this.#next]; id !== undefined; id = this.#requests[this.#next]) {
        this.#next++;
        if (this.#next === this.#requests.length) {
          this.#requests.length = 0;
          this.#next = 0;
        }
        await this.#send(id);
      }
    } catch (error) {
      this.#failure ??= { error };
      this.#outbox.fail(error);
    } finally {
      this.#active--;
      if (this.#active === 0 && this.#finishing) this.#idle?.();
    }
  }

  async #send(id: number): Promise<void> {
    const take: TakeChunk = (chunk, release) => {
      if (chunk.length <= pieceSize) return this.#outbox.push(this.#packet(id, chunk, release));
      return this.#sendPieces(id, chunk, release);
    };
    await this.#files.read(id, take, this.#call);
    const full = this.#outbox.push(encodeData(id, endOfList, this.#writer));
    if (full !== undefined) await full;
  }

  async #sendPieces(id: number, chunk: Uint8Array, release?: () => void): Promise<void> {
    for (let at = 0; at < chunk.length; at += pieceSize) {
      const last = at + pieceSize >= chunk.length;
      const piece = chunk.subarray(at, at + pieceSize);
      await this.#outbox.push(this.#packet(id, piece, last ? release : undefined));
    }
  }

  /** `chunk` is not empty. */
  #packet(id: number, chunk: Uint8Array, release?: () => void): OutgoingMessage {
    if (chunk.length >= largeChunk)
      return new MessageParts([encodeDataHead(id, chunk.length), chunk], release);
    const copy = encodeData(id, chunk, this.#writer);
    release?.();
    return copy;
  }
}

/** What the other side says went wrong there. */
export function told(message: string): KilnError {
  return new KilnError("BUILDER_FAILED", message || "the other side failed without a word");
}

export function unexpected(type: string): KilnError {
  return new KilnError("REQUEST_INVALID", `unexpected packet of files: ${type}`);
}
