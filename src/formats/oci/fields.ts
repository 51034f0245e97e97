// Typed reading of members of untrusted JSON documents; null counts as absent, as Go reads it.
import { type Digest, isDigest, isRecord, KilnError } from "../../base/index.ts";

/** A record of a document, with the words that say where it is in error messages. */
export interface Fields {
  readonly record: Readonly<Record<string, unknown>>;
  readonly what: string;
}

/** Narrows to an object. */
export function fieldsOf(value: unknown, what: string): Fields {
  if (isRecord(value)) return { record: value, what };
  throw invalid(what, "is not a JSON object");
}

/** A member's value; undefined for null. Members inherited from Object do not count. */
export function rawField({ record }: Fields, name: string): unknown {
  return Object.hasOwn(record, name) ? (record[name] ?? undefined) : undefined;
}

export function stringField(fields: Fields, name: string): string | undefined {
  const value = rawField(fields, name);
  if (value === undefined || typeof value === "string") return value;
  throw invalid(fields.what, `${name} is not a string`);
}

export function booleanField(fields: Fields, name: string): boolean | undefined {
  const value = rawField(fields, name);
  if (value === undefined || typeof value === "boolean") return value;
  throw invalid(fields.what, `${name} is not true or false`);
}

export function integerField(fields: Fields, name: string): number | undefined {
  const value = rawField(fields, name);
  if (value === undefined || (typeof value === "number" && Number.isSafeInteger(value)))
    return value;
  throw invalid(fields.what, `${name} is not a whole number`);
}

export function listField(fields: Fields, name: string): readonly unknown[] | undefined {
  const value = rawField(fields, name);
  if (value === undefined || Array.isArray(value)) return value;
  throw invalid(fields.what, `${name} is not a list`);
}

export function stringsField(fields: Fields, name: string): readonly string[] | undefined {
  const list = listField(fields, name);
  return list?.map((item) => {
    if (typeof item === "string") return item;
    throw invalid(fields.what, `${name} holds something that is not a string`);
  });
}

/** A map from strings to strings; null values count as empty. */
export function stringMapField(
  fields: Fields,
  name: string,
): Readonly<Record<string, string>> | undefined {
  const value = rawField(fields, name);
  if (value === undefined) return undefined;
  const entries = Object.entries(fieldsOf(value, `${fields.what}: ${name}`).record);
  return Object.fromEntries(
    entries.map(([key, item]) => {
      if (item === null) return [key, ""];
      if (typeof item === "string") return [key, item];
      throw invalid(fields.what, `${name} holds something that is not a string`);
    }),
  );
}

/** A set, which Go writes as a map to empty objects; only the names count. */
export function setField(
  fields: Fields,
  name: string,
): Readonly<Record<string, Record<string, never>>> | undefined {
  const value = rawField(fields, name);
  if (value === undefined) return undefined;
  const { record } = fieldsOf(value, `${fields.what}: ${name}`);
  return Object.fromEntries(Object.keys(record).map((key) => [key, {}]));
}

export function digestOrThrow(value: unknown, what: string): Digest {
  if (typeof value === "string" && isDigest(value)) return value;
  throw invalid(what, "digest is not of the form sha256:<64 hex>");
}

/** The error for a document that is not what it should be. */
export function invalid(what: string, why: string): KilnError {
  return new KilnError("IMAGE_INVALID", `${what}: ${why}`);
}

/** Leaves out members that are undefined, so that optional properties are either there or absent. */
export function defined<T extends object>(record: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as T;
}
