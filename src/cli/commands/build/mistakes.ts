// Gathers the mistakes of one command line, so that all are told at once.
import { isKilnError, KilnError } from "../../../base/index.ts";

/** Keeps mistakes until all checks have run. */
export interface Checker {
  /** Runs a check; a `KilnError` is kept for later. */
  run<T>(check: () => T): T | undefined;
  /** Throws all that was kept as one error. */
  done(): void;
}

/** A checker with no mistakes yet. */
export function createChecker(): Checker {
  const mistakes: KilnError[] = [];
  return {
    run(check) {
      try {
        return check();
      } catch (error) {
        if (!isKilnError(error)) throw error;
        mistakes.push(error, ...error.others);
        return undefined;
      }
    },
    done() {
      const [first, ...others] = mistakes;
      if (!first) return;
      if (others.length === 0) throw first;
      const { code, message, cause, hint, at, details } = first;
      throw new KilnError(code, message, {
        others,
        details,
        ...(cause === undefined ? {} : { cause }),
        ...(hint === undefined ? {} : { hint }),
        ...(at === undefined ? {} : { at }),
      });
    },
  };
}

/** Throws the errors as one; returns when there are none. */
export function throwAll(errors: readonly KilnError[]): void {
  const [first, ...others] = errors;
  if (!first) return;
  throw new KilnError(first.code, first.message, {
    others,
    details: first.details,
    ...(first.hint === undefined ? {} : { hint: first.hint }),
  });
}
