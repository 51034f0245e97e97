// Snapshots as whole copies of the tree: slower and larger than overlay, works without mounting anything.
import { CopyViews } from "./copy-views.ts";
import { LayerStore } from "./layer-store.ts";
import {
  type CollectableSnapshotter,
  LayeredSnapshotter,
  type SnapshotterOptions,
} from "./layered-snapshotter.ts";

/** As `openOverlaySnapshotter`, with the same layers on disk; only the views are copies instead of mounts. */
export async function openCopySnapshotter(
  options: SnapshotterOptions,
): Promise<CollectableSnapshotter> {
  const store = new LayerStore(options.dir);
  return new LayeredSnapshotter(store, new CopyViews(store), options.fetchBlob);
}
