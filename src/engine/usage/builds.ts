// What builds leave to be looked at: records, progress and whole logs, one item a build.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { isRecord } from "../../base/index.ts";
import type { Item } from "./item.ts";
import type { UsageParts } from "./parts.ts";

/** A build without a record either runs or was killed; after so many milliseconds it does not run. */
const longestBuild = 24 * 3_600_000;

/** Records that somebody pinned count as used: pruning leaves them alone. */
export async function buildItems(
  { builds, now }: UsageParts,
  measure: (path: string) => Promise<number>,
): Promise<readonly Item[]> {
  const names = new Set([...namesIn(builds.history), ...namesIn(builds.logs)]);
  const items: Item[] = [];
  for (const name of names) {
    const paths = [join(builds.history, name), join(builds.logs, name)];
    const times = paths.flatMap((path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? []);
    if (times.length === 0) continue;
    let size = 0;
    for (const path of paths) size += await measure(path);
    const record = readRecord(join(builds.history, name, "record.json"));
    const newest = Math.max(...times);
    const mayRun = record === undefined && now().getTime() - newest < longestBuild;
    items.push({
      what: { kind: "build", paths },
      neededBy: [],
      derived: false,
      record: {
        id: `build-${name}`,
        type: "history",
        description: `record and logs of build ${name}`,
        size,
        inUse: mayRun || record?.pinned === true,
        mutable: true,
        shared: false,
        createdAt: new Date(Math.min(...times)),
        lastUsedAt: new Date(newest),
        usageCount: 1,
        parents: [],
      },
    });
  }
  return items;
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** A damaged record is nobody's pin. */
function readRecord(path: string): { readonly pinned: boolean } | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    return { pinned: isRecord(value) && value["pinned"] === true };
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT" ? undefined : { pinned: false };
  }
}
