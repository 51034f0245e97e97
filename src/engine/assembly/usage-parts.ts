// What there is to be counted and collected.
import { join } from "node:path";
import type { StepHistory } from "../explain/index.ts";
import type { UsageParts } from "../usage/index.ts";
import type { EngineOptions } from "./options.ts";
import type { Stores } from "./stores.ts";

export function usageParts(
  { at, content, snapshotter, records, metadata, kept }: Stores,
  steps: StepHistory,
  { root, now }: Pick<EngineOptions, "root" | "now">,
): UsageParts {
  return {
    root,
    content,
    snapshotter,
    images: records,
    metadata,
    grows: [
      `${at("snapshots")}/layers`,
      `${at("ownSnapshots")}/layers`,
      `${at("content")}/blobs/sha256`,
    ],
    madeLayers: join(at("exports"), "layers"),
    origins: at("origins"),
    kept: [
      { things: kept.cacheMounts, type: "exec.cachemount" },
      { things: kept.repositories, type: "source.git.checkout" },
      { things: kept.statIndexes, type: "source.local" },
      { things: kept.copies, type: "source.local" },
    ],
    builds: { history: at("history"), logs: at("logs") },
    steps,
    now,
  };
}
