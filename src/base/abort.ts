// Cancellation: the call that every waiting function takes last, and the few things done with its signal.
import { setMaxListeners } from "node:events";

/**
 * Last argument of every call that may wait. Not optional, so that cancellation cannot be forgotten.
 * Only `cli/` and the library's front door create controllers.
 */
export interface Call {
  readonly signal: AbortSignal;
}

/** A call that nobody ever cancels: for the library's front door and for tests. */
export const uncancelled: Call = { signal: new AbortController().signal };

/** Throws the signal's reason when the call has been cancelled. */
export function throwIfAborted(call: Call): void {
  call.signal.throwIfAborted();
}

/** True for the error of a cancelled call. Cancellation is not a failure and is never wrapped. */
export function isAbortError(error: unknown): boolean {
  return error instanceof Error && (error.name === "AbortError" || error.name === "TimeoutError");
}

/** An `AbortError` that says why. Use it as the reason of every `abort()`. */
export function abortReason(why: string): Error {
  const error = new Error(why);
  error.name = "AbortError";
  return error;
}

/**
 * Settles as `promise` does, or rejects with the signal's reason as soon as the call is cancelled.
 * The work behind `promise` goes on unless it watches the signal itself.
 */
export function abortable<T>(promise: Promise<T>, call: Call): Promise<T> {
  const { signal } = call;
  if (signal.aborted) {
    promise.catch(() => {});
    return Promise.reject(signal.reason);
  }
  // Many may wait on the signal of one build: that is no leak.
  setMaxListeners(0, signal);
  return new Promise<T>((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

/** Waits `ms` milliseconds, or rejects as soon as the call is cancelled. */
export function delay(ms: number, call: Call): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const waited = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  return abortable(waited, call).finally(() => clearTimeout(timer));
}
