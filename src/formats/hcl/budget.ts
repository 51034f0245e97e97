// The work that evaluation may do, counted, so that no file keeps a machine busy for long.
import { mistakeAt, type Range } from "./source.ts";

/** Steps of evaluation in one bake: expressions, and elements that functions make. */
const maxWork = 1_000_000;
/** Functions of files inside functions of files. */
const maxCalls = 200;

/** What is left of the work that one reading may do, shared by all scopes of it. */
export class Budget {
  #left: number = maxWork;
  #calls = 0;

  /** Throws `BAKE_INVALID` when nothing is left. */
  spend(amount: number, range?: Range): void {
    this.#left -= amount;
    if (this.#left < 0)
      throw mistakeAt(range, "Too much work", `Evaluation takes more than ${maxWork} steps.`);
  }

  /** Runs inside one more function. */
  enter<T>(range: Range, work: () => T): T {
    if (++this.#calls > maxCalls)
      throw mistakeAt(range, "Functions too deep", `At most ${maxCalls} calls in each other.`);
    try {
      return work();
    } finally {
      this.#calls--;
    }
  }
}
