// Lists of layers as values.
import { randomBytes } from "node:crypto";
import type { SnapshotLayer } from "./snapshot.ts";

/** True when `layers` begins with all of `start`. */
export function isPrefix(
  start: readonly SnapshotLayer[],
  layers: readonly SnapshotLayer[],
): boolean {
  return start.every((layer, at) => layers[at]?.id === layer.id);
}

/**
 * The layers that decide what a stack looks like: where one occurs twice, as when two states on the same base are merged,
 * its topmost place counts, for it brings there all that the lower one brought (overlayfs refuses to have both).
 */
export function withoutRepeats(layers: readonly SnapshotLayer[]): readonly SnapshotLayer[] {
  const last = new Map(layers.map((layer, at) => [layer.id, at]));
  return layers.filter((layer, at) => last.get(layer.id) === at);
}

/** Of a layer whose contents nobody else has a name for. */
export function newLayerId(): string {
  return `layer-${randomBytes(16).toString("hex")}`;
}
