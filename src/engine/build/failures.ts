// Failures of a build that keeps going: all of them in one error.
import { abortReason, type Call, isAbortError, KilnError, runAll } from "../../base/index.ts";

/**
 * As `runAll`; with `keepGoing` nothing is cancelled by a failure, and what is thrown tells every failure once.
 */
export async function runPlatforms<T, R>(
  items: readonly T[],
  work: (item: T, call: Call) => Promise<R>,
  keepGoing: boolean,
  call: Call,
): Promise<R[]> {
  if (!keepGoing) return await runAll(items, work, call);
  const settled = await Promise.allSettled(items.map((item) => work(item, call)));
  call.signal.throwIfAborted();
  const reasons = settled.flatMap((one) => (one.status === "rejected" ? [one.reason] : []));
  if (reasons.length > 0) throw allOf(reasons);
  return settled.map((one) => (one as PromiseFulfilledResult<R>).value);
}

/** One error for all; the first of a kind that users cannot meet, since that is a bug. */
function allOf(reasons: readonly unknown[]): unknown {
  const errors = reasons.flatMap((one) => (one instanceof AggregateError ? one.errors : [one]));
  const failures = errors.filter((error) => !isAbortError(error));
  const bug = failures.find((error) => !(error instanceof KilnError));
  if (bug !== undefined) return bug;
  const distinct = new Map<string, KilnError>();
  for (const error of failures as KilnError[]) {
    const { code, message, at } = error;
    const key = JSON.stringify([code, message, at?.file, at?.line]);
    if (!distinct.has(key)) distinct.set(key, error);
  }
  const [first, ...others] = distinct.values();
  if (!first) return errors[0] ?? abortReason("the build was stopped");
  if (others.length === 0) return first;
  const { code, message, cause, hint, at, details } = first;
  return new KilnError(code, message, {
    cause,
    details,
    others: [...first.others, ...others.flatMap((one) => [one, ...one.others])],
    ...(hint === undefined ? {} : { hint }),
    ...(at === undefined ? {} : { at }),
  });
}
