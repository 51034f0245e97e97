// What `:-`, `+`, `?`, `#`, `%` and `/` make of a variable.
import { ExpansionError } from "./expansion-error.ts";
import { compilePattern, replaceMatches, trimPrefix, trimSuffix } from "./shell-pattern.ts";

/** What follows the name in `${name:-word}` and its kin. */
export interface Modifier {
  readonly modifier: string;
  /** With a colon, empty counts as unset. */
  readonly colon: boolean;
  readonly word: string;
}

/** The value with its modifier applied; `value` is undefined when the variable is not set. */
export function modify(
  name: string,
  value: string | undefined,
  { modifier, colon, word }: Modifier,
): string {
  const missing = value === undefined || (colon && value === "");
  switch (modifier) {
    case "-":
      return missing ? word : value;
    case "+":
      return missing ? "" : word;
    case "?":
      if (!missing) return value;
      throw new ExpansionError(
        `${name}: ${word || `is not allowed to be ${value === undefined ? "unset" : "empty"}`}`,
      );
    case "#":
    case "%":
      return trim(value ?? "", modifier, word);
    default:
      throw unsupported(`:${modifier}`);
  }
}

/** `#` and `%` take the shortest match from the beginning or end, doubled the longest. */
function trim(value: string, modifier: "#" | "%", word: string): string {
  const longest = word.startsWith(modifier);
  const pattern = longest ? word.slice(1) : word;
  const tokens = compilePattern(pattern);
  if (typeof tokens === "string") throw badPattern(pattern, tokens);
  const trimmed =
    modifier === "#" ? trimPrefix(tokens, value, longest) : trimSuffix(tokens, value, longest);
  if (trimmed === undefined) throw badPattern(pattern, "too much to match");
  return trimmed;
}

/** What follows the name in `${name/pattern/replacement}`; `all` with two slashes. */
export interface Replacement {
  readonly pattern: string;
  readonly replacement: string;
  readonly all: boolean;
}

/** The value with the first match replaced, or all of them. */
export function replace(value: string, { pattern, replacement, all }: Replacement): string {
  const tokens = compilePattern(pattern);
  if (typeof tokens === "string") throw badPattern(pattern, tokens);
  const replaced = replaceMatches(tokens, value, { replacement, all });
  if (replaced === undefined) throw badPattern(pattern, "too much to match");
  return replaced;
}

/** The error for a modifier that there is not. */
export function unsupported(sign: string): ExpansionError {
  return new ExpansionError(`unsupported modifier (${sign}) in substitution`);
}

function badPattern(pattern: string, why: string): ExpansionError {
  return new ExpansionError(`invalid pattern (${shortened(pattern)}) in substitution: ${why}`);
}

/** @internal For messages. */
export function shortened(word: string): string {
  return word.length > 1000 ? `${word.slice(0, 1000)}...` : word;
}
