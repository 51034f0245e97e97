// Which line of an image's history made which layer: lines and layers are brought into step.
import { type Digest, parseDigest } from "../../../base/index.ts";
import type { HistoryEntry } from "../../../formats/oci/index.ts";
import type { LayerBlob } from "../../../storage/snapshot/index.ts";

/** Digest of the tar without entries: two zero blocks. */
export const emptyTar: Digest = parseDigest(
  "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
);
/** The same, packed as Go's gzip does: base images built elsewhere have it as a layer. */
const emptyGzip = parseDigest(
  "sha256:4f4fb700ef54461cfa02571ae0db9a0dc1e0cdb5577484a6d75e68dc38e8acc1",
);

export interface AlignedHistory {
  readonly history: readonly HistoryEntry[];
  /** Without those that hold nothing. */
  readonly layers: readonly LayerBlob[];
}

/**
 * Makes history and layers agree, as the reference does (exporter/containerimage normalizeLayersAndHistory): lines
 * without a layer become empty ones, layers without a line get one, layers that hold nothing are dropped and their line is
 * marked. Lines without a time get `created` (RFC 3339); the base image's own are left as they are.
 */
export function alignHistory(
  history: readonly HistoryEntry[],
  layers: readonly LayerBlob[],
  created: string,
): AlignedHistory {
  const lines = [...history];
  const named = lines.filter((line) => !line.empty_layer).length;
  for (let i = named; i < layers.length; i++) {
    lines.push({ created_by: "created by kiln", comment: "buildkit.exporter.image.v0" });
  }
  const kept: LayerBlob[] = [];
  let next = 0;
  const aligned = lines.map((line): HistoryEntry => {
    const timed = { ...line, created: line.created ?? created };
    if (line.empty_layer) return timed;
    const layer = layers[next++];
    if (!layer || isEmpty(layer)) return { ...timed, empty_layer: true };
    kept.push(layer);
    return timed;
  });
  return { history: aligned, layers: kept };
}

/** Of each layer, the line that made it, as people wrote it: `linux/arm64 RUN make`. */
export function layerTitles(history: readonly HistoryEntry[], platform: string): readonly string[] {
  return history
    .filter((line) => !line.empty_layer)
    .map((line, index) => {
      const made = (line.created_by ?? "")
        .replace(/\s*# buildkit$/, "")
        .replace(/^RUN (?:\|\d+ .*? )?\/bin\/sh -c /s, "RUN ");
      return `${platform} ${made || `layer ${index + 1}`}`;
    });
}

/** A layer that holds nothing, and is left out of images. */
export function isEmpty({ descriptor, diffId }: LayerBlob): boolean {
  return diffId === emptyTar || descriptor.digest === emptyGzip;
}
