// How much a peer may make this side do for nothing: frames that cost it little and move nothing.
import { errorCodes, Http2Error } from "./protocol.ts";

/** Frames that may come at once, and each second. */
const burst = 10_000;
const perSecond = 1000;
/** Bytes of DATA that excuse one more. */
const bytesPerFrame = 4096;
/** Frames that one DATA frame of this side excuses: grpc-go answers it with a ping and wider windows. */
const framesPerAnswer = 3;

/** What a frame costs; ends of streams let work begin and be thrown away (CVE-2023-44487). */
export const costs = { frame: 1, reset: 10 } as const;

/** One for each connection. */
export class Patience {
  readonly #now: () => number;
  #left = burst;
  #since: number;

  /** `now` in milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#since = now();
  }

  /** Bytes of one DATA frame that has come. */
  received(bytes: number): void {
    this.#left = Math.min(burst, this.#left + bytes / bytesPerFrame);
  }

  /** Bytes of one DATA frame that has been sent. */
  sent(bytes: number): void {
    this.received(bytes + framesPerAnswer * bytesPerFrame);
  }

  /** Throws ENHANCE_YOUR_CALM when there were too many. */
  spend(cost: number): void {
    this.#left -= cost;
    if (this.#left >= 0) return;
    const now = this.#now();
    this.#left = Math.min(burst, this.#left + ((now - this.#since) / 1000) * perSecond);
    this.#since = now;
    if (this.#left < 0)
      throw new Http2Error(errorCodes.ENHANCE_YOUR_CALM, "too many frames that move nothing");
  }
}
