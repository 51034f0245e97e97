// What can be asked of travelling caches, by the reference's attribute names (features.md D-50 to D-55).
import type { Attrs } from "../../../api/index.ts";
import { closest, KilnError } from "../../../base/index.ts";

/** What every export understands. */
export const exportAttributes = [
  "compression",
  "compression-level",
  "force-compression",
  "ignore-error",
  "mode",
] as const;

/** Throws `FLAG_INVALID` for a name that the backend does not know. */
export function checkCacheAttributes(type: string, attrs: Attrs, known: readonly string[]): void {
  for (const [name, value] of Object.entries(attrs)) {
    if (known.includes(name)) continue;
    const near = closest(name, known);
    throw badCacheAttribute(
      `${name}=${value}`,
      `cache type ${type} has no such attribute`,
      near === undefined ? undefined : `Did you mean ${near}?`,
    );
  }
}

/** The error for a cache that cannot be what was asked for. */
export function badCacheAttribute(what: string, why: string, hint?: string): KilnError {
  return new KilnError(
    "FLAG_INVALID",
    `cache attribute ${what.slice(0, 200)}: ${why}`,
    hint === undefined ? {} : { hint },
  );
}

/** The value, which must be there and not empty. */
export function requiredAttribute(type: string, attrs: Attrs, name: string): string {
  const value = attrs[name];
  if (value) return value;
  throw badCacheAttribute(name, `cache type ${type} needs it`);
}

/** As Go's strconv.ParseBool. */
export function cacheFlag(attrs: Attrs, name: string, absent: boolean): boolean {
  const value = attrs[name];
  if (value === undefined) return absent;
  if (["1", "t", "T", "TRUE", "true", "True"].includes(value)) return true;
  if (["0", "f", "F", "FALSE", "false", "False"].includes(value)) return false;
  throw badCacheAttribute(`${name}=${value}`, "expected true or false");
}

/** Which results travel: those of the last stage alone, or all of them. */
export function cacheMode(attrs: Attrs): "min" | "max" {
  const { mode = "min" } = attrs;
  if (mode === "min" || mode === "max") return mode;
  throw badCacheAttribute(`mode=${mode}`, "expected min or max");
}
