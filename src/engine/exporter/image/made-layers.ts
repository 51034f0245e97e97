// Which blob a layer was packed as, so that a layer is packed once and found again by later builds.
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Digest, isDigest, isRecord, writeNoteAtomic } from "../../../base/index.ts";
import type { LayerBlob } from "../../../storage/snapshot/index.ts";

/** One small file a layer and way of packing below `directory`. */
export interface MadeLayers {
  /** Undefined where the layer was never packed so. The blob itself may be gone. */
  find(key: string): LayerBlob | undefined;
  remember(key: string, blob: LayerBlob): void;
}

export function createMadeLayers(directory: string): MadeLayers {
  const file = (key: string) => {
    const hex = createHash("sha256").update(key).digest("hex");
    return join(directory, hex.slice(0, 2), hex);
  };
  return {
    find: (key) => readLayer(file(key), key),
    remember(key, { descriptor, diffId }) {
      mkdirSync(dirname(file(key)), { recursive: true });
      writeNoteAtomic(file(key), JSON.stringify({ key, descriptor, diffId }));
    },
  };
}

/** A note that a layer was packed. */
export interface MadeLayer {
  /** Of the layer: its id, or its diff ID where it came from an image. */
  readonly layer: string;
  readonly blob: Digest;
  readonly path: string;
}

/** All notes below `directory`, for those who clear up; deleting one costs packing the layer again. */
export function listMadeLayers(directory: string): readonly MadeLayer[] {
  const names = (at: string) => readdirSync(at).map((name) => join(at, name));
  try {
    return names(directory).flatMap(names).flatMap(describeLayer);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

function describeLayer(path: string): readonly MadeLayer[] {
  try {
    const { key, descriptor } = JSON.parse(readFileSync(path, "utf8"));
    const [, layer] = JSON.parse(key);
    const blob = descriptor.digest;
    return typeof layer === "string" && isDigest(blob) ? [{ layer, blob, path }] : [];
  } catch {
    return [];
  }
}

function readLayer(path: string, key: string): LayerBlob | undefined {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, "utf8"));
  } catch {
    // Absent or damaged: the layer is packed again.
    return undefined;
  }
  if (!isRecord(value) || value["key"] !== key || !isRecord(value["descriptor"])) return undefined;
  const { mediaType, digest, size } = value["descriptor"];
  const diffId = value["diffId"];
  if (typeof mediaType !== "string" || typeof size !== "number") return undefined;
  if (typeof digest !== "string" || !isDigest(digest)) return undefined;
  if (typeof diffId !== "string" || !isDigest(diffId)) return undefined;
  const notes = value["descriptor"]["annotations"];
  const annotations = isRecord(notes) ? (notes as Record<string, string>) : undefined;
  return {
    descriptor: { mediaType, digest, size, ...(annotations ? { annotations } : {}) },
    diffId,
  };
}
