// A thread that packs the blocks it is sent, one after the other.
import { parentPort } from "node:worker_threads";
import { packBlock } from "./pack-block.ts";

/** What the thread is sent; the window's memory becomes the thread's. */
export interface PackRequest {
  readonly id: number;
  readonly window: Uint8Array<ArrayBuffer>;
  readonly start: number;
  readonly level: number;
}

/** What it answers, giving the memory back. */
export interface PackAnswer {
  readonly id: number;
  readonly packed: Uint8Array<ArrayBuffer>;
  readonly window: Uint8Array<ArrayBuffer>;
}

/** What a thread says; `ready` at first, since one that cannot even load is not to be sent anything. */
export type ThreadWord = PackAnswer | "ready";

parentPort?.on("message", ({ id, window, start, level }: PackRequest) => {
  // A copy of its own length: what zlib returns may lie in shared memory.
  const packed = new Uint8Array(packBlock({ window, start }, level));
  const answer: PackAnswer = { id, packed, window };
  parentPort?.postMessage(answer, [packed.buffer, window.buffer]);
});
parentPort?.postMessage("ready" satisfies ThreadWord);
