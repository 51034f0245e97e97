// Snapshots as stacks of overlayfs layers: merge is concatenation, the difference of a stack that grew is its suffix.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { processTag } from "../../base/index.ts";
import { LayerStore } from "./layer-store.ts";
import {
  type CollectableSnapshotter,
  LayeredSnapshotter,
  type SnapshotterOptions,
} from "./layered-snapshotter.ts";
import { mountAt } from "./mount.ts";
import { OverlayViews } from "./overlay-views.ts";
import type { Mount } from "./snapshot.ts";

/** Opens the store in `dir`, making it if absent; sweeps what crashed processes left. Mounts nothing. `fuse`: by fuse-overlayfs. */
export async function openOverlaySnapshotter(
  options: SnapshotterOptions,
  { fuse = false }: { readonly fuse?: boolean } = {},
): Promise<CollectableSnapshotter> {
  const store = new LayerStore(options.dir);
  return new LayeredSnapshotter(store, new OverlayViews(store, fuse), options.fetchBlob);
}

/** Why overlay mounts are impossible here for this process and directory; undefined where they work. */
export function probeOverlay(dir: string): string | undefined {
  let probe: string | undefined;
  try {
    // Where left-overs of killed processes are swept.
    mkdirSync(`${dir}/active`, { recursive: true, mode: 0o700 });
    probe = mkdtempSync(`${dir}/active/${processTag()}-`);
    for (const name of ["lower", "upper", "work", "merged"]) mkdirSync(`${probe}/${name}`);
    const { userXattr } = new LayerStore(`${probe}/store`);
    const mount: Mount = {
      type: "overlay",
      lower: [`${probe}/lower`],
      upper: `${probe}/upper`,
      work: `${probe}/work`,
      userXattr,
    };
    mountAt([mount], `${probe}/merged`)[Symbol.dispose]();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    if (probe !== undefined) rmSync(probe, { recursive: true, force: true });
  }
}
