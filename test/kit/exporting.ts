// What exporters are given in tests: solved platforms over layers that are no more than a name.
import { join } from "node:path";
import type { Session, StepCall } from "../../src/api/index.ts";
import { digestOf, uncancelled } from "../../src/base/index.ts";
import type {
  ExporterParts,
  SolvedPlatform,
  SolvedResult,
} from "../../src/engine/exporter/index.ts";
import type { HistoryEntry } from "../../src/formats/oci/index.ts";
import type { ContentStore } from "../../src/storage/content/index.ts";
import { createBlobOrigins, createImageRecords } from "../../src/storage/image/index.ts";
import { createRegistry } from "../../src/storage/registry/index.ts";
import type { Snapshot, SnapshotLayer, Snapshotter } from "../../src/storage/snapshot/index.ts";
import { tarOf } from "./tar.ts";

export const silentCall: StepCall = { ...uncancelled, step: digestOf("step"), emit() {} };

const client = createRegistry({
  credentials: async () => undefined,
  hosts: {},
  userAgent: "kiln-test",
  environment: {},
  limits: { retryBudget: 200, retryDelay: 1 },
});

/**
 * A snapshotter that only packs: a layer's tar is a file with the layer's id in it, at the clamp if there is one. Layer
 * `empty` holds nothing. Ids go to `packed`.
 */
export function namedLayers(packed: string[]): Snapshotter {
  const packer: Partial<Snapshotter> = {
    async *tar(layer, { clamp }) {
      packed.push(layer.id);
      const mtime = BigInt(clamp ?? 1_700_000_000) * 1_000_000_000n;
      if (layer.id === "empty") yield new Uint8Array(1024);
      else yield tarOf([{ path: "file", data: layer.id, mtime }]);
    },
  };
  return packer as Snapshotter;
}

function snapshotOf(layers: readonly SnapshotLayer[]): Snapshot {
  const snapshot: Partial<Snapshot> = { id: layers.map((one) => one.id).join("+"), layers };
  return snapshot as Snapshot;
}

export function solvedPlatform(
  platform: SolvedPlatform["platform"],
  layers: readonly SnapshotLayer[],
  history: readonly HistoryEntry[] = [],
): SolvedPlatform {
  const { os, architecture, variant } = platform;
  const config = { os, architecture, ...(variant ? { variant } : {}), history };
  return {
    platform,
    id: [os, architecture, variant].filter(Boolean).join("/"),
    snapshot: layers.length === 0 ? undefined : snapshotOf(layers),
    config: { ...config, rootfs: { type: "layers", diff_ids: [] } },
  };
}

export function solvedResult(...platforms: readonly SolvedPlatform[]): SolvedResult {
  return { platforms, multiPlatform: platforms.length > 1, sourceDateEpoch: undefined };
}

export function exporterParts(
  directory: string,
  content: ContentStore,
  snapshotter: Snapshotter,
): ExporterParts {
  return {
    registry: (_session: Session) => client,
    content,
    snapshotter,
    records: createImageRecords(join(directory, "images")),
    origins: createBlobOrigins(join(directory, "origins")),
    directory: join(directory, "exports"),
    now: () => new Date("2026-05-06T07:08:09.100Z"),
  };
}
