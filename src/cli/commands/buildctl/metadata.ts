// --metadata-file: what exporters answered, with what is JSON in base64 as JSON.
import { Buffer } from "node:buffer";
import type { Attrs } from "../../../api/index.ts";
import { isRecord, sortedRecord } from "../../../base/index.ts";

/** Keys in order, two blanks a level. */
export function metadataText(response: Attrs): string {
  const read = Object.entries(response).map(([key, value]) => [key, readValue(value)] as const);
  return JSON.stringify(sortedRecord<unknown>(Object.fromEntries(read)), undefined, 2);
}

function readValue(value: string): unknown {
  const bytes = Buffer.from(value, "base64");
  // Node reads what is no base64 too.
  if (bytes.length === 0 || bytes.toString("base64") !== value) return value;
  try {
    const document: unknown = JSON.parse(bytes.toString("utf8"));
    return isRecord(document) && Object.keys(document).length > 0 ? document : value;
  } catch {
    return value;
  }
}
