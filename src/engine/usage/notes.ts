// What is remembered for later builds and is no cache: how steps were, and where blobs came from that are not here.
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Item } from "./item.ts";
import type { UsageParts } from "./parts.ts";

/** A build that runs may have noted where a blob is before anything says that the blob is needed; in milliseconds. */
const longestBuild = 24 * 3_600_000;

/** The one record of what is remembered of steps. */
export const stepsId = "steps";

/** Undefined where nothing is remembered. */
export function stepsItem({ steps, now }: UsageParts): Item | undefined {
  const { size, at } = steps.extent();
  if (size === 0) return undefined;
  return noteItem(
    { kind: "steps" },
    {
      id: stepsId,
      description: "how steps were when they ran, for --explain",
      size,
      usedAt: new Date(at ?? now()),
    },
  );
}

/** Of blobs that neither are here nor belong to anything that is: `isNeeded` says which do, by hexadecimal digest. */
export async function originsItem(
  { origins, now }: UsageParts,
  isNeeded: (hex: string) => boolean,
  measure: (path: string) => Promise<number>,
): Promise<Item | undefined> {
  const stale: string[] = [];
  let usedAt = 0;
  for (const folder of namesIn(origins)) {
    for (const hex of namesIn(join(origins, folder))) {
      if (isNeeded(hex)) continue;
      const path = join(origins, folder, hex);
      const time = statSync(path, { throwIfNoEntry: false })?.mtimeMs;
      if (time === undefined || now().getTime() - time < longestBuild) continue;
      stale.push(path);
      usedAt = Math.max(usedAt, time);
    }
  }
  if (stale.length === 0) return undefined;
  let size = 0;
  for (const path of stale) size += await measure(path);
  return noteItem(
    { kind: "build", paths: stale },
    {
      id: "origins",
      description: "where blobs came from that are not here",
      size,
      usedAt: new Date(usedAt),
    },
  );
}

function noteItem(what: Item["what"], { id, description, size, usedAt }: NoteFacts): Item {
  return {
    what,
    neededBy: [],
    derived: false,
    record: {
      ...{ id, type: "history", description, size },
      ...{ inUse: false, mutable: true, shared: false },
      ...{ createdAt: usedAt, lastUsedAt: usedAt, usageCount: 1, parents: [] },
    },
  };
}

interface NoteFacts {
  readonly id: string;
  readonly description: string;
  readonly size: number;
  readonly usedAt: Date;
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
