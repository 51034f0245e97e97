// Errors of a Dockerfile that show only when it is converted.
import { KilnError } from "../../../base/index.ts";

/** An error without a place yet: the instruction's place is added where the instruction is known. */
export function dockerfileError(message: string, hint?: string): KilnError {
  return new KilnError("DOCKERFILE_INVALID", message, hint === undefined ? {} : { hint });
}
