// Key-value pairs as history entries have them.
import type { KeyValue } from "../instructions/instruction.ts";

/** ` a=b c=d`, with the blank in front. */
export function goPairs(pairs: readonly KeyValue[]): string {
  return pairs.map(({ key, value }) => ` ${key}=${value}`).join("");
}
