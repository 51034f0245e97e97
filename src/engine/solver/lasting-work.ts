// Work that is done once however many ask for it, and goes on for as long as anybody demands it.
import { abortReason, type Call } from "../../base/index.ts";

/**
 * Who wants something, counted; the call lives from the first to the last of them. Demand keeps work alive, it does not
 * start any.
 */
export class Demand<Holder> {
  readonly #holders = new Map<Holder, number>();
  #controller: AbortController | undefined;

  get call(): Call {
    if (!this.#controller) throw new Error("work is asked for that nobody demands");
    return this.#controller;
  }

  /** In the order in which they came. */
  get holders(): Iterable<Holder> {
    return this.#holders.keys();
  }

  has(holder: Holder): boolean {
    return this.#holders.has(holder);
  }

  add(holder: Holder): void {
    this.#controller ??= new AbortController();
    this.#holders.set(holder, (this.#holders.get(holder) ?? 0) + 1);
  }

  /** True when it was this holder's last. */
  remove(holder: Holder): boolean {
    const count = this.#holders.get(holder) ?? 0;
    if (count > 1) {
      this.#holders.set(holder, count - 1);
      return false;
    }
    this.#holders.delete(holder);
    if (this.#holders.size === 0) {
      this.#controller?.abort(abortReason("nobody waits for this step any more"));
      this.#controller = undefined;
    }
    return true;
  }
}

interface Run<T> {
  readonly promise: Promise<T>;
  readonly signal: AbortSignal;
  state: "running" | "done" | "failed";
}

/** A value that is computed when first asked for, under the demand's call, and then kept. */
export class LastingWork<T> {
  readonly #work: (call: Call) => Promise<T>;
  readonly #demand: { readonly call: Call };
  #run: Run<T> | undefined;

  constructor(demand: { readonly call: Call }, work: (call: Call) => Promise<T>) {
    this.#demand = demand;
    this.#work = work;
  }

  /** Whoever asks must hold the demand; `call` ends the waiting, not the work. */
  async get(call: Call): Promise<T> {
    for (;;) {
      call.signal.throwIfAborted();
      this.#run ??= this.#start();
      const run = this.#run;
      try {
        return await (run.state === "done" ? run.promise : waitFor(run.promise, call));
      } catch (error) {
        // A run that was cancelled for want of demand says nothing to those who came later: they start another.
        if (call.signal.aborted || !run.signal.aborted) throw error;
        if (this.#run === run) this.#run = undefined;
      }
    }
  }

  /** As `get()`, but starts nothing: undefined when nothing was asked for, or when it was cancelled. */
  async running(call: Call): Promise<{ readonly value: T } | undefined> {
    const run = this.#run;
    if (!run) return undefined;
    try {
      return { value: await waitFor(run.promise, call) };
    } catch (error) {
      if (call.signal.aborted || !run.signal.aborted) throw error;
      return undefined;
    }
  }

  /** A failure is kept for all who ask until it is forgotten. */
  forgetFailure(): void {
    if (this.#run?.state === "failed") this.#run = undefined;
  }

  /** Waits for what is running and returns the value, if there is one. */
  async settle(): Promise<{ readonly value: T } | undefined> {
    try {
      return this.#run && { value: await this.#run.promise };
    } catch {
      return undefined;
    }
  }

  #start(): Run<T> {
    const { signal } = this.#demand.call;
    const run: Run<T> = { promise: this.#work({ signal }), signal, state: "running" };
    run.promise.then(
      () => {
        run.state = "done";
      },
      () => {
        run.state = "failed";
      },
    );
    return run;
  }
}

const waiting = new WeakMap<AbortSignal, Set<(reason: unknown) => void>>();

/** As `abortable()`, with one listener for all who wait under the same call: hundreds do, in the first milliseconds. */
function waitFor<T>(promise: Promise<T>, { signal }: Call): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    const waiters = waitersOf(signal);
    waiters.add(reject);
    promise.then(
      (value) => {
        waiters.delete(reject);
        resolve(value);
      },
      (error) => {
        waiters.delete(reject);
        reject(error);
      },
    );
  });
}

function waitersOf(signal: AbortSignal): Set<(reason: unknown) => void> {
  const known = waiting.get(signal);
  if (known) return known;
  const waiters = new Set<(reason: unknown) => void>();
  waiting.set(signal, waiters);
  const leave = () => {
    for (const reject of waiters) reject(signal.reason);
  };
  signal.addEventListener("abort", leave, { once: true });
  return waiters;
}
