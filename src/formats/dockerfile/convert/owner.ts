// Owners as `--chown` writes them.
import type { OwnerSpec } from "../../llb/index.ts";

/** `user[:group]`, each a number or a name; `root` is 0 without looking it up. */
export function parseOwner(words: string): OwnerSpec {
  const colon = words.indexOf(":");
  if (colon === -1) return { user: parseId(words) };
  return { user: parseId(words.slice(0, colon)), group: parseId(words.slice(colon + 1)) };
}

function parseId(word: string): number | string {
  if (word === "root" || word === "") return 0;
  const number = /^[+-]?[0-9]+$/.test(word) ? Number(word) : Number.NaN;
  // Go reads a 32-bit integer and writes it without a sign.
  return number >= -0x80000000 && number <= 0x7fffffff ? number >>> 0 : word;
}
