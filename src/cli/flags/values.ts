// Texts of single flags: whole numbers, what base reads as Go does, and the error of a value that is wrong.
import { KilnError } from "../../base/index.ts";

export { parseBool, parseDuration, parseSize } from "../../base/index.ts";

/** A whole number in decimal, hexadecimal, octal or binary, as strconv.ParseInt with base 0. */
export function parseInteger(text: string): number | undefined {
  const match = /^([+-]?)(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|[1-9][0-9]*|0)$/.exec(
    text.replaceAll("_", ""),
  );
  if (!match?.[2]) return undefined;
  const digits = /^0[0-7]+$/.test(match[2]) ? `0o${match[2].slice(1)}` : match[2];
  const value = Number(digits) * (match[1] === "-" ? -1 : 1);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** The error of a flag's value, in one form everywhere. */
export function invalidValue(flag: string, text: string, why: string, hint?: string): KilnError {
  const message = `invalid value ${JSON.stringify(text)} for ${flag}: ${why}`;
  return new KilnError("FLAG_INVALID", message, hint === undefined ? {} : { hint });
}
