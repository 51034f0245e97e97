// Reading exporter attributes: typed, and refused when they are not known or make no sense.
import type { Attrs } from "../../api/index.ts";
import { closest, KilnError } from "../../base/index.ts";

/** The error for an attribute that cannot be obeyed. */
export function badAttribute(name: string, value: string, why: string, hint?: string): KilnError {
  return new KilnError(
    "FLAG_INVALID",
    `output attribute ${name}=${value.slice(0, 200)}: ${why}`,
    hint === undefined ? {} : { hint },
  );
}

/** As Go's strconv.ParseBool; an attribute without a value is true. Absent is `absent`. */
export function booleanAttribute(attrs: Attrs, name: string, absent: boolean): boolean {
  const value = attrs[name];
  if (value === undefined) return absent;
  if (["", "1", "t", "T", "TRUE", "true", "True"].includes(value)) return true;
  if (["0", "f", "F", "FALSE", "false", "False"].includes(value)) return false;
  throw badAttribute(name, value, "expected true or false");
}

/** A whole number within bounds, both allowed. */
export function integerAttribute(
  attrs: Attrs,
  name: string,
  bounds: { readonly from: number; readonly to: number },
): number | undefined {
  const value = attrs[name];
  if (value === undefined) return undefined;
  const number = Number(value);
  const whole = /^-?\d{1,15}$/.test(value);
  if (whole && number >= bounds.from && number <= bounds.to) return number;
  throw badAttribute(name, value, `expected a whole number from ${bounds.from} to ${bounds.to}`);
}

/** One of a few words. */
export function wordAttribute<T extends string>(
  attrs: Attrs,
  name: string,
  words: readonly T[],
): T | undefined {
  const value = attrs[name];
  if (value === undefined) return undefined;
  const found = words.find((word) => word === value);
  if (found !== undefined) return found;
  const near = closest(value, words);
  const hint = near === undefined ? undefined : `Did you mean ${name}=${near}?`;
  throw badAttribute(name, value, `expected one of ${words.join(", ")}`, hint);
}

/** Throws for a name that `knows` does not; `names` are those that may have been meant. */
export function checkAttributeNames(
  attrs: Attrs,
  knows: (name: string) => boolean,
  names: readonly string[],
): void {
  for (const [name, value] of Object.entries(attrs)) {
    if (knows(name)) continue;
    const near = closest(name, names);
    const hint = near === undefined ? undefined : `Did you mean ${near}?`;
    throw badAttribute(name, value, "there is no such attribute", hint);
  }
}
