// How many bytes of DATA may be on their way, in each direction (RFC 9113, 5.2).
import { largestWindowSize } from "./protocol.ts";

/** What the other side lets this one send. Below zero after its SETTINGS have made open windows smaller. */
export class SendWindow {
  #left: number;

  constructor(size: number) {
    this.#left = size;
  }

  get left(): number {
    return this.#left;
  }

  take(size: number): void {
    this.#left -= size;
  }

  /** False where the window would grow beyond what HTTP/2 allows. */
  widen(increment: number): boolean {
    this.#left += increment;
    return this.#left <= largestWindowSize;
  }
}

/** What this side lets the other one send. */
export class ReceiveWindow {
  readonly #size: number;
  #left: number;
  #released = 0;

  /** `size` is what has been announced. */
  constructor(size: number) {
    this.#size = size;
    this.#left = size;
  }

  /** False where more came than was allowed. */
  receive(size: number): boolean {
    this.#left -= size;
    return this.#left >= 0;
  }

  /** Bytes that are no longer held. Returns what is to be announced now: seldom something, and then much at once. */
  release(size: number): number {
    this.#released += size;
    if (this.#released < this.#size / 4) return 0;
    const increment = this.#released;
    this.#released = 0;
    this.#left += increment;
    return increment;
  }
}
