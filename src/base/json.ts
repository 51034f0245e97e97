// JSON in the form that digests need: the bytes Go's encoding/json writes, and typed reading of untrusted documents.
import { KilnError } from "./errors.ts";

/** A value that JSON can hold; undefined members are left out. */
export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [key: string]: Json | undefined };

const escapes: Readonly<Record<string, string>> = {
  "<": "\\u003c",
  ">": "\\u003e",
  "&": "\\u0026",
  "\u2028": "\\u2028",
  "\u2029": "\\u2029",
};

/**
 * Compact JSON with members in the order given (callers put them in Go's struct order) and Go's HTML escaping, so that
 * documents have the bytes, and so the digests, that the reference's encoder gives them.
 */
export function goJson(value: unknown, indent?: number | string): string {
  return JSON.stringify(value, undefined, indent).replace(
    /[<>&\u2028\u2029]/g,
    (char) => escapes[char] ?? char,
  );
}

/** A copy whose members are sorted by name, as Go writes maps. */
export function sortedRecord<T>(record: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(
    Object.entries(record).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)),
  );
}

/** Parses JSON text from outside; `what` names the document in the error. */
export function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new KilnError("IMAGE_INVALID", `${what} is not valid JSON`, { cause });
  }
}

/** Narrows to a plain object. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
