// History entries, worded as the reference words them: image digests depend on these bytes.
import type { HistoryEntry } from "../../oci/index.ts";
import { dockerfileError } from "./problem.ts";
import { changed, type Stage, withEntry } from "./stage.ts";

/** Longest history of a stage, in UTF-16 units: every value that instructions set stands in it. */
export const MAX_HISTORY: number = 32 * 1024 * 1024;

const comment = "buildkit.dockerfile.v0";

/** The stage with an entry for an instruction; `layer` says whether it made one. */
export function recorded(stage: Stage, words: string, layer: boolean): Stage {
  const entry: HistoryEntry = entryOf(words, layer);
  const dated = stage.epoch === undefined ? entry : { created: goTime(stage.epoch), ...entry };
  const historyLength = stage.historyLength + words.length;
  if (historyLength > MAX_HISTORY) {
    throw dockerfileError(`the stage's history has more than ${MAX_HISTORY} characters`);
  }
  return changed(stage, { historyLength, history: withEntry(stage.history, dated) });
}

function entryOf(words: string, layer: boolean): HistoryEntry {
  return layer ? { created_by: words, comment } : { created_by: words, comment, empty_layer: true };
}

/** As `recorded`, for instructions that change files by a step of their own. */
export function recordedStep(stage: Stage, words: string): Stage {
  return recorded(stage, `${words} # buildkit`, true);
}

/** RFC 3339 without the fraction that JavaScript writes. */
export function goTime(time: Date): string {
  return time.toISOString().replace(/\.\d+Z$/, "Z");
}
