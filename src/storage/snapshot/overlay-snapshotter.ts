// Snapshots as stacks of overlayfs layers: merge is concatenation, the difference of a stack that grew is its suffix.
import type { Bytes, Call } from "../../base/index.ts";
import type { LayerBlob, Snapshotter } from "./snapshot.ts";

export interface SnapshotterOptions {
  /** Directory of its own, on a file system that overlayfs takes as upper layer. Several processes may share it. */
  readonly dir: string;
  /** Where to get the blob of a layer whose `fetch` this process has not seen, e.g. after a restart. */
  readonly fetchBlob?: (blob: LayerBlob, call: Call) => Bytes;
}

/** A snapshotter whose unused layers can be collected. */
export interface CollectableSnapshotter extends Snapshotter {
  /** Deletes all layers and stacks but those of the snapshots in `keep` and of refs held by any live process. Bytes freed are not counted. */
  removeUnused(keep: ReadonlySet<string>, call: Call): Promise<readonly string[]>;
}

/** Opens the store in `dir`, making it if absent; sweeps what crashed processes left. Mounts nothing. */
export async function openOverlaySnapshotter(
  options: SnapshotterOptions,
): Promise<CollectableSnapshotter> {
  throw new Error(`not yet ${options}`);
}

/** Why overlay mounts are impossible here for this process and directory; undefined where they work. */
export function probeOverlay(dir: string): string | undefined {
  throw new Error(`not yet ${dir}`);
}
