// Records on the disk: reading them, and letting go of what is too old and too much.
import { readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import type { BuildRecord } from "../../api/index.ts";
import { readRecord } from "./record-file.ts";

/** Names in a record's directory. */
export const recordName = "record.json";
export const statusName = "status";

/** The reference's: 48 hours and 50 builds, and only what is beyond both goes. */
const defaultMaxAge = 48 * 3_600_000;
const defaultMaxEntries = 50;
/** What a process that was killed left without a record goes after so many milliseconds. */
const orphanAge = 24 * 3_600_000;

/** Newest first. */
export function storedRecords(directory: string): BuildRecord[] {
  let names: readonly string[];
  try {
    names = readdirSync(directory);
  } catch {
    return [];
  }
  return names
    .flatMap((name) => readRecord(join(directory, name, recordName)) ?? [])
    .sort((a, b) => b.createdAt.getTime() - a.createdAt.getTime());
}

/** What may be kept of builds that have ended. */
export interface RecordLimits {
  /** Milliseconds; older records go when there are more than `maxEntries`. */
  readonly maxAge?: number;
  readonly maxEntries?: number;
}

/**
 * Lets `remove` what is too old and too much at once, `now` in milliseconds; pinned records stay and do not count. To be called
 * after each build: it looks closer after some of them only.
 */
export function collect(
  directory: string,
  { maxAge = defaultMaxAge, maxEntries = defaultMaxEntries }: RecordLimits,
  now: number,
  remove: (record: BuildRecord) => void,
): void {
  const kept = readdirSync(directory).length;
  // Reading dozens of records takes longer than what else a cached build does in the end: every sixteenth is enough.
  if (kept % 16 !== 0 && (kept > 32 || kept <= maxEntries)) return;
  removeOrphans(directory, now - orphanAge);
  const loose = storedRecords(directory).filter((one) => !one.pinned);
  const oldest = now - maxAge;
  for (const record of loose.slice(maxEntries)) {
    if ((record.completedAt ?? record.createdAt).getTime() < oldest) remove(record);
  }
}

function removeOrphans(directory: string, before: number): void {
  for (const name of readdirSync(directory)) {
    const place = join(directory, name);
    if (statSync(join(place, recordName), { throwIfNoEntry: false })) continue;
    const stats = statSync(join(place, statusName), { throwIfNoEntry: false });
    if (stats && stats.mtimeMs < before) rmSync(place, { recursive: true, force: true });
  }
}
