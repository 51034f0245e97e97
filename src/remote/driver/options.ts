// Reading a node's driver options, in the reference's words where they are wrong.
import { KilnError, parseBool } from "../../base/index.ts";

/** The error of a node that cannot be as it was asked for. */
export function invalidNode(message: string, hint?: string): KilnError {
  return new KilnError("BUILDER_INVALID", message, hint === undefined ? {} : { hint });
}

/** Throws for a key that is neither in `known` nor begins with one of `prefixes`. */
export function checkKeys(
  options: Readonly<Record<string, string>>,
  known: readonly string[],
  prefixes: readonly string[],
  driver: string,
): void {
  for (const key of Object.keys(options)) {
    if (known.includes(key) || prefixes.some((prefix) => key.startsWith(prefix) && key !== prefix))
      continue;
    const hint =
      known.length > 0
        ? `Options are ${[...known, ...prefixes.map((one) => `${one}NAME`)].join(", ")}.`
        : "It has none.";
    throw invalidNode(`invalid driver option ${key} for ${driver} driver`, hint);
  }
}

/** A truth of an option; `fallback` where it is absent. */
export function boolOption(
  options: Readonly<Record<string, string>>,
  key: string,
  fallback: boolean,
): boolean {
  const text = options[key];
  if (text === undefined) return fallback;
  const value = parseBool(text);
  if (value === undefined)
    throw invalidNode(
      `strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`,
      `Write ${key}=true or ${key}=false.`,
    );
  return value;
}

/** A whole number of an option. */
export function integerOption(
  options: Readonly<Record<string, string>>,
  key: string,
): number | undefined {
  const text = options[key];
  if (text === undefined) return undefined;
  const value = /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value))
    throw invalidNode(
      `strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`,
      `Write ${key}=NUMBER.`,
    );
  return value;
}

/** Options that begin with `prefix`, without it. */
export function withPrefix(
  options: Readonly<Record<string, string>>,
  prefix: string,
): Record<string, string> {
  const found = Object.entries(options).filter(([key]) => key.startsWith(prefix));
  return Object.fromEntries(found.map(([key, value]) => [key.slice(prefix.length), value]));
}
