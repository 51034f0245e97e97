// Compressing a layer: gzip and zstd in this house's own way, blocks side by side.
import { type Bytes, KilnError } from "../../../base/index.ts";
import { gzip, hasZstd, type TakenChunks, zstd } from "../../../formats/archive/index.ts";
import type { Compression } from "../../../formats/oci/index.ts";

/** How a layer may be packed: `estargz` is gzip to those who do not know better. */
export type LayerPacking = Compression | "estargz";

/** Throws `UNSUPPORTED` for what cannot be made here. */
export function checkCompression(compression: LayerPacking): void {
  if (compression !== "zstd" || hasZstd()) return;
  throw new KilnError(
    "UNSUPPORTED",
    `zstd layers cannot be made with Node ${process.versions.node} and without libzstd`,
    { hint: "Install libzstd1 (or run Kiln with Node 22.15 or later), or use compression=gzip." },
  );
}

/** How many processors a packing may take; the bytes do not depend on it. */
export interface Pace {
  /** True, asked now and then, leaves most of them to others. */
  readonly atLeisure: () => boolean;
}

/** The same bytes for the same data and level. `level` undefined is the format's usual one. */
export function compress(
  data: Bytes,
  compression: Compression,
  level: number | undefined,
  pace?: Partial<Pace> & TakenChunks,
): Bytes {
  if (compression === "none") return data;
  const options = { ...pace, ...(level === undefined ? {} : { level }) };
  return compression === "gzip" ? gzip(data, options) : zstd(data, options);
}
