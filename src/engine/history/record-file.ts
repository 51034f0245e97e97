// Records as files: JSON of one build, read back with suspicion.
import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import type { BuildRecord } from "../../api/index.ts";
import { isRecord, writeNoteAtomic } from "../../base/index.ts";

export function writeRecord(path: string, record: BuildRecord): void {
  const { error } = record;
  const stored = error && {
    ...error,
    details: error.details.map(({ typeUrl, value }) => ({
      typeUrl,
      value: Buffer.from(value).toString("base64"),
    })),
  };
  // A power cut may take the last record, which no build waits for the disk to avoid.
  writeNoteAtomic(path, JSON.stringify({ ...record, ...(stored ? { error: stored } : {}) }));
}

/** Undefined where there is no record, or none that can be read. */
export function readRecord(path: string): BuildRecord | undefined {
  try {
    const stored: unknown = JSON.parse(readFileSync(path, "utf8"));
    return isRecord(stored) ? revive(stored) : undefined;
  } catch {
    return undefined;
  }
}

function revive(stored: Readonly<Record<string, unknown>>): BuildRecord | undefined {
  const record = stored as unknown as BuildRecord & {
    readonly error?: { readonly details: readonly { typeUrl: string; value: string }[] };
  };
  const createdAt = new Date(record.createdAt);
  if (typeof record.ref !== "string" || Number.isNaN(createdAt.getTime())) return undefined;
  const { completedAt, error } = record;
  return {
    ...record,
    createdAt,
    ...(completedAt ? { completedAt: new Date(completedAt) } : {}),
    ...(error
      ? {
          error: {
            code: error.code,
            message: error.message,
            details: error.details.map(({ typeUrl, value }) => ({
              typeUrl,
              value: new Uint8Array(Buffer.from(value as unknown as string, "base64")),
            })),
          },
        }
      : {}),
  };
}
