// Single flight: work asked for by several callers at once is done once.
import { abortable, abortReason, type Call } from "./abort.ts";

interface Flight<T> {
  readonly promise: Promise<T>;
  readonly controller: AbortController;
  waiters: number;
}

/**
 * Runs work once per key among the callers that overlap in time. The work is cancelled only when its last waiter has
 * left; a failure reaches all of them and is not remembered.
 */
export class Once<K, T> {
  readonly #flights = new Map<K, Flight<T>>();

  async run(key: K, work: (call: Call) => Promise<T>, call: Call): Promise<T> {
    call.signal.throwIfAborted();
    const flight = this.#flights.get(key) ?? this.#start(key, work);
    flight.waiters++;
    try {
      return await abortable(flight.promise, call);
    } finally {
      flight.waiters--;
      if (flight.waiters === 0) {
        // Nobody may join work that is being cancelled.
        if (this.#flights.get(key) === flight) this.#flights.delete(key);
        flight.controller.abort(abortReason("nobody waits for this any more"));
      }
    }
  }

  #start(key: K, work: (call: Call) => Promise<T>): Flight<T> {
    const controller = new AbortController();
    const flight: Flight<T> = {
      promise: work({ signal: controller.signal }),
      controller,
      waiters: 0,
    };
    this.#flights.set(key, flight);
    flight.promise
      .catch(() => {})
      .finally(() => {
        if (this.#flights.get(key) === flight) this.#flights.delete(key);
      });
    return flight;
  }
}
