// What every decoder of ops checks.
import { KilnError } from "../../base/index.ts";

/** An error of a definition; `why` completes "the definition is not valid: ". */
export function invalid(why: string): KilnError {
  return new KilnError("DEFINITION_INVALID", `the definition is not valid: ${why}`);
}

/** Checks an index into `count` inputs; -1 is none. */
export function inputIndex(index: number, count: number): number | undefined {
  if (index === -1) return undefined;
  if (!Number.isSafeInteger(index) || index < 0 || index >= count) {
    throw invalid(`input ${index} does not exist, the op has ${count}`);
  }
  return index;
}

/** A record with the member, or without it where the value is undefined. */
export function optional<K extends string, V>(key: K, value: V | undefined): { [key in K]?: V } {
  return (value === undefined ? {} : { [key]: value }) as { [key in K]?: V };
}
