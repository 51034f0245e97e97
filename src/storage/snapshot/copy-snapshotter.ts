// Snapshots as whole copies of the tree: slower and larger than overlay, works on any file system.
import type { CollectableSnapshotter, SnapshotterOptions } from "./overlay-snapshotter.ts";

/** As `openOverlaySnapshotter`, with the same layers on disk; only the views are copies instead of mounts. */
export async function openCopySnapshotter(
  options: SnapshotterOptions,
): Promise<CollectableSnapshotter> {
  throw new Error(`not yet ${options}`);
}
