// Threads that deflate: begun when there is enough to do, gone when there is nothing any more.
import { availableParallelism } from "node:os";
import type { Worker } from "node:worker_threads";
import { startThread } from "../../base/index.ts";
import type { PackAnswer, PackRequest, ThreadWord } from "./deflate-thread.ts";
import { packBlock } from "./pack-block.ts";

/** A block whose memory is given away with it. */
export interface OwnedBlock {
  readonly window: Uint8Array<ArrayBuffer>;
  readonly start: number;
}

/** What became of a block, and its memory, to be used again. */
export interface PackedBlock {
  readonly packed: Uint8Array;
  readonly window: Uint8Array<ArrayBuffer>;
}

/** So much is packed right here, in some 20 ms, before threads are worth their start. */
const startAfter = 1024 * 1024;
/** More of them would wait for whoever reads and hashes the layer. */
const mostThreads = 8;
/** Milliseconds without work after which threads end. */
const idleTime = 2_000;

/** One thread, and who waits for what it was sent. */
interface Thread {
  readonly worker: Worker;
  readonly waiting: Map<number, { resolve(answer: PackAnswer): void; reject(error: Error): void }>;
}

/**
 * Packs blocks on all processors, the first ones on the calling thread. Where threads cannot be had, all of them there. Its
 * threads do not keep the process alive unless they work.
 */
export class DeflateThreads {
  #threads: Thread[] = [];
  /** Settled when the first thread runs, or none can; undefined while there is too little to do. */
  #started: Promise<void> | undefined;
  #bytes = 0;
  #count = 0;
  #idle: NodeJS.Timeout | undefined;

  /** Takes the block's memory until it answers. */
  async pack(block: OwnedBlock, level: number): Promise<PackedBlock> {
    this.#bytes += block.window.length - block.start;
    if (this.#bytes > startAfter) this.#started ??= this.#start();
    // Not the time to go on here: whoever works all the time never hears that threads have begun.
    await this.#started;
    const [first, ...others] = this.#threads;
    if (first === undefined) return { packed: packBlock(block, level), window: block.window };
    const free = others.reduce((a, b) => (b.waiting.size < a.waiting.size ? b : a), first);
    return await this.#send(free, block, level);
  }

  async #send(
    { worker, waiting }: Thread,
    { window, start }: OwnedBlock,
    level: number,
  ): Promise<PackedBlock> {
    const id = this.#count++;
    clearTimeout(this.#idle);
    if (waiting.size === 0) worker.ref();
    try {
      return await new Promise<PackAnswer>((resolve, reject) => {
        waiting.set(id, { resolve, reject });
        const request: PackRequest = { id, window, start, level };
        worker.postMessage(request, [window.buffer]);
      });
    } finally {
      waiting.delete(id);
      if (waiting.size === 0) worker.unref();
      if (this.#threads.every((thread) => thread.waiting.size === 0)) this.#endLater();
    }
  }

  async #start(): Promise<void> {
    const count = Math.min(availableParallelism(), mostThreads);
    const starting = Array.from({ length: count }, () => this.#startOne());
    // One that cannot start has not taken anything.
    await Promise.any(starting).catch(() => {});
  }

  async #startOne(): Promise<void> {
    const thread: Thread = {
      worker: startThread("deflate-thread", import.meta.url),
      waiting: new Map(),
    };
    const { worker, waiting } = thread;
    await new Promise<void>((resolve, reject) => {
      worker.on("message", (said: ThreadWord) => {
        if (said !== "ready") {
          waiting.get(said.id)?.resolve(said);
          return;
        }
        if (waiting.size === 0) worker.unref();
        this.#threads.push(thread);
        resolve();
      });
      worker.on("error", (error) => {
        this.#threads = this.#threads.filter((one) => one !== thread);
        for (const one of waiting.values()) one.reject(error);
        reject(error);
      });
    });
  }

  #endLater(): void {
    this.#idle = setTimeout(() => {
      const ending = this.#threads;
      this.#threads = [];
      this.#started = undefined;
      for (const { worker } of ending) void worker.terminate();
    }, idleTime).unref();
  }
}
