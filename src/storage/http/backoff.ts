// When to try again: exponential pauses with jitter, the server's Retry-After, and an end to patience.
import { type Call, delay } from "../../base/index.ts";
import { attemptsByCode, longestPause, maxAttempts } from "./limits.ts";
import { isTemporary, type NetworkFailure } from "./network-error.ts";

/** How long one request, or one transfer that does not move on, is tried. Times in milliseconds. */
export interface Patience {
  /** For all attempts together. */
  readonly retryBudget: number;
  /** First pause between attempts; doubles each time, with jitter. */
  readonly retryDelay: number;
}

/** The patience with one request, or with one transfer as long as it does not move on. */
export class Backoff {
  readonly #patience: Patience;
  #failures = 0;
  #until: number | undefined;

  constructor(patience: Patience) {
    this.#patience = patience;
  }

  /** Much came through: patience is as it was at first. */
  restart(): void {
    this.#failures = 0;
    this.#until = undefined;
  }

  /** Something came through, though it has to come again: the time starts anew, the attempts do not. */
  moved(): void {
    this.#until = undefined;
  }

  /** Waits before the next attempt. False, at once, when there should be none. */
  async afterFailure(failure: NetworkFailure, call: Call): Promise<boolean> {
    if (!isTemporary(failure)) return false;
    // The server never saw it: as good as a first attempt, unless all connections are gone.
    if (failure.stale && this.#failures === 0) {
      this.#failures++;
      return true;
    }
    return this.#pause(attemptsByCode[failure.code] ?? maxAttempts, 0, call);
  }

  /** As `afterFailure`, for an answer with this status. */
  async afterStatus(status: number, retryAfter: string | undefined, call: Call): Promise<boolean> {
    return (
      isTemporaryStatus(status) &&
      this.#pause(maxAttempts, retryAfterMilliseconds(retryAfter), call)
    );
  }

  async #pause(most: number, atLeast: number, call: Call): Promise<boolean> {
    this.#failures++;
    if (this.#failures >= most) return false;
    const ceiling = Math.min(longestPause, this.#patience.retryDelay * 2 ** (this.#failures - 1));
    // Never less than half: many clients that failed together should neither come back together nor at once.
    const pause = Math.max(atLeast, ceiling * (0.5 + Math.random() / 2));
    // The time counts from the first failure: a transfer may have gone well for an hour before.
    this.#until ??= performance.now() + this.#patience.retryBudget;
    if (performance.now() + pause > this.#until) return false;
    await delay(pause, call);
    return true;
  }
}

/** True for answers that mean "not now": 408, 429 and most of 5xx. */
export function isTemporaryStatus(status: number): boolean {
  return status === 408 || status === 429 || (status >= 500 && status !== 501 && status !== 505);
}

/** Retry-After in seconds or as a date (RFC 9110, 10.2.3), as milliseconds from now; 0 for none or nonsense. */
export function retryAfterMilliseconds(
  header: string | undefined,
  now: number = Date.now(),
): number {
  if (header === undefined) return 0;
  if (/^\d{1,9}$/.test(header.trim())) return Number(header) * 1000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? 0 : Math.max(0, at - now);
}
