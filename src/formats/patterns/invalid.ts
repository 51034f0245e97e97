// The error for a pattern that cannot be read.
import { KilnError } from "../../base/index.ts";

/** `what` of it is not understood. */
export function patternInvalid(pattern: string, what: string): KilnError {
  return new KilnError("PATTERN_INVALID", `pattern ${pattern}: ${what} is not understood`, {
    hint: "Write a backslash only before the characters that it should take the meaning of.",
  });
}
