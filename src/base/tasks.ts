// Structured concurrency: run many, the first failure cancels the rest, and all are awaited.
import { setMaxListeners } from "node:events";
import { abortReason, type Call, isAbortError } from "./abort.ts";

/**
 * Runs `work` for every item at once, with a call that is cancelled when one of them fails. Resolves with the results in
 * order, or rejects with the first real failure after every task has ended, so that nothing is left running.
 */
export async function runAll<T, R>(
  items: readonly T[],
  work: (item: T, call: Call) => Promise<R>,
  call: Call,
): Promise<R[]> {
  call.signal.throwIfAborted();
  const controller = new AbortController();
  const signal = AbortSignal.any([call.signal, controller.signal]);
  // Every task may wait on it; Node warns of a leak at eleven.
  setMaxListeners(0, signal);
  const failures: unknown[] = [];
  const tasks = items.map(async (item) => {
    try {
      return await work(item, { signal });
    } catch (error) {
      failures.push(error);
      controller.abort(abortReason("another task of the group failed"));
      throw error;
    }
  });
  const settled = await Promise.allSettled(tasks);
  if (failures.length > 0) {
    call.signal.throwIfAborted();
    throw failures.find((failure) => !isAbortError(failure)) ?? failures[0];
  }
  return settled.map((one) => (one as PromiseFulfilledResult<R>).value);
}
