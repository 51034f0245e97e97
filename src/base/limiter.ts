// A fair semaphore whose permit is a Disposable.
import { setMaxListeners } from "node:events";
import { type Call, throwIfAborted } from "./abort.ts";

/** Lets at most `limit` holders in at once, first come first served. */
export class Limiter {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(limit: number) {
    this.#free = Math.max(1, limit);
  }

  /** Waits for a permit; disposing gives it back. A cancelled waiter leaves the queue. */
  async acquire(call: Call): Promise<Disposable> {
    throwIfAborted(call);
    if (this.#free > 0) this.#free--;
    else await this.#queue(call);
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (held) this.#release();
        held = false;
      },
    };
  }

  #queue(call: Call): Promise<void> {
    // Many may wait on the signal of one build: that is no leak.
    setMaxListeners(0, call.signal);
    return new Promise((resolve, reject) => {
      const enter = () => {
        call.signal.removeEventListener("abort", leave);
        resolve();
      };
      const leave = () => {
        const at = this.#waiting.indexOf(enter);
        if (at !== -1) this.#waiting.splice(at, 1);
        reject(call.signal.reason);
      };
      this.#waiting.push(enter);
      call.signal.addEventListener("abort", leave, { once: true });
    });
  }

  #release(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#free++;
  }
}
