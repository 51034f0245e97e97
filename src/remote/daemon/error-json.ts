// Messages as JSON of protobuf, for details of errors that clients read as such.
import { Buffer } from "node:buffer";

/** The message with fields by name: defaults are left out, maps are objects, bytes base64, choices their own fields. */
export function messageJson(message: object): Readonly<Record<string, unknown>> {
  const fields: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(message)) {
    if (isChoice(value)) {
      fields[value.$case] = valueJson(value.value) ?? {};
      continue;
    }
    const json = valueJson(value);
    if (json !== undefined) fields[name] = json;
  }
  return fields;
}

interface Choice {
  readonly $case: string;
  readonly value: unknown;
}

function isChoice(value: unknown): value is Choice {
  return typeof value === "object" && value !== null && "$case" in value;
}

/** Undefined for what is a default. Messages within are kept even when they are empty: their being there says something. */
function valueJson(value: unknown): unknown {
  if (value === undefined || value === "" || value === 0 || value === false) return undefined;
  if (value instanceof Uint8Array)
    return value.length === 0 ? undefined : Buffer.from(value).toString("base64");
  if (value instanceof Map) {
    const pairs = Array.from(value, ([key, one]) => [String(key), elementJson(one)] as const);
    return pairs.length === 0 ? undefined : Object.fromEntries(pairs);
  }
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.map(elementJson);
  return typeof value === "object" && value !== null ? messageJson(value) : value;
}

/** Elements of lists have their places, whatever they are. */
function elementJson(value: unknown): unknown {
  return valueJson(value) ?? value;
}
