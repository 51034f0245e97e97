// The snapshotter that works here: overlay where the kernel lets us mount it, copies elsewhere.
import { mkdirSync, readFileSync, statSync } from "node:fs";
import { release } from "node:os";
import { fromNodeError, isRecord, log, unreachable, writeFileAtomic } from "../../base/index.ts";
import { openCopySnapshotter } from "./copy-snapshotter.ts";
import type { CollectableSnapshotter, SnapshotterOptions } from "./layered-snapshotter.ts";
import { openOverlaySnapshotter, probeOverlay } from "./overlay-snapshotter.ts";

const debug = log("snapshot");

/** How layers are shown; all use the same store. */
export type SnapshotterKind = "overlay" | "fuse" | "copy";

/**
 * Opens the store in `options.dir` with the wanted snapshotter, else with overlay where it works. That is tried once for a store,
 * kernel and user; why it does not work is said in the debug log. Throws `UNSUPPORTED` for a store whose marks this process
 * cannot read.
 */
export async function openSnapshotter(
  options: SnapshotterOptions,
  wanted?: SnapshotterKind,
): Promise<CollectableSnapshotter> {
  const kind = wanted ?? (overlayObstacle(options.dir) === undefined ? "overlay" : "copy");
  switch (kind) {
    case "overlay":
      return openOverlaySnapshotter(options);
    case "fuse":
      return openOverlaySnapshotter(options, { fuse: true });
    case "copy":
      return openCopySnapshotter(options);
    default:
      return unreachable(kind);
  }
}

/** Why there is no overlay here, from the note of an earlier try where there is one. */
function overlayObstacle(dir: string): string | undefined {
  const note = `${dir}/overlay.json`;
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    const where = `${release()} ${process.geteuid?.()} ${statSync(dir).dev}`;
    const known = readNote(note, where);
    const reason = known ? known.reason : probeOverlay(dir);
    if (!known) writeNote(note, JSON.stringify({ where, reason }));
    if (reason !== undefined) debug.debug("no overlay mounts: layers are copied", { reason });
    return reason;
  } catch (error) {
    throw fromNodeError(error, `opening the snapshots in ${dir}`);
  }
}

/** A full disk must not stop those who come to clear it. */
function writeNote(path: string, text: string): void {
  try {
    writeFileAtomic(path, text);
  } catch (error) {
    debug.debug("could not note whether overlay works", { error: String(error) });
  }
}

function readNote(
  path: string,
  where: string,
): { readonly reason: string | undefined } | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (!isRecord(value) || value["where"] !== where) return undefined;
    return { reason: typeof value["reason"] === "string" ? value["reason"] : undefined };
  } catch {
    return undefined;
  }
}
