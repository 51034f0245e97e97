// A fair semaphore whose permit is a Disposable.
import { setMaxListeners } from "node:events";
import { type Call, throwIfAborted } from "./abort.ts";

/** Lets at most `limit` holders in at once, first come first served. */
export class Limiter {
  readonly #limit: number;
  #holders = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(limit: number) {
    this.#limit = Math.max(1, limit);
  }

  /** How many wait for a permit. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Waits for a permit; disposing gives it back. A cancelled waiter leaves the queue. */
  async acquire(call: Call): Promise<Disposable> {
    throwIfAborted(call);
    if (this.#holders < this.#limit) this.#holders++;
    else await this.#queue(call);
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (held) this.#release();
        held = false;
      },
    };
  }

  /** Lets so many of those who wait in beyond the limit, which holds again once as many have left. */
  admit(count: number): void {
    for (const enter of this.#waiting.splice(0, count)) {
      this.#holders++;
      enter();
    }
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
    this.#holders--;
    if (this.#holders < this.#limit) this.admit(1);
  }
}
