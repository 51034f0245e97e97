// Compressing a layer: gzip in this house's own way, zstd where Node can.
import type { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import * as zlib from "node:zlib";
import { type Bytes, KilnError } from "../../../base/index.ts";
import { gzip } from "../../../formats/archive/index.ts";
import type { Compression } from "../../../formats/oci/index.ts";

/** What Node 22.15 and later have; the types are those of Node 20. */
interface ZstdSupport {
  readonly createZstdCompress?: (options: {
    readonly chunkSize: number;
    readonly params: Readonly<Record<number, number>>;
  }) => Transform;
}
const { createZstdCompress } = zlib as typeof zlib & ZstdSupport;

/** ZSTD_c_compressionLevel of zstd.h. */
const zstdLevel = 100;
/** What zstd itself calls its default, as does the reference. */
const usualZstdLevel = 3;

/** Throws `UNSUPPORTED` for what cannot be made here. */
export function checkCompression(compression: Compression): void {
  if (compression !== "zstd" || createZstdCompress) return;
  throw new KilnError(
    "UNSUPPORTED",
    `zstd layers cannot be made with Node ${process.versions.node}`,
    {
      hint: "Use compression=gzip, or run Kiln with Node 22.15 or later.",
    },
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
  pace?: Pace,
): Bytes {
  if (compression === "none") return data;
  if (compression === "gzip")
    return gzip(data, { ...pace, ...(level === undefined ? {} : { level }) });
  return zstd(data, level ?? usualZstdLevel);
}

async function* zstd(data: Bytes, level: number): Bytes {
  checkCompression("zstd");
  const packing = createZstdCompress?.({ chunkSize: 256 * 1024, params: { [zstdLevel]: level } });
  if (!packing) return;
  const fed = pipeline(regrouped(data), packing);
  // Awaited below; until then a failure comes out of `packing`.
  fed.catch(() => {});
  try {
    yield* packing;
  } finally {
    packing.destroy();
    // The source's own failure, rather than what it made of the stream.
    await fed.catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ERR_STREAM_PREMATURE_CLOSE") throw error;
    });
  }
}

const pieceLength = 1024 * 1024;

/** Pieces of one length, since what zstd makes depends on how it is fed. */
async function* regrouped(data: Bytes): Bytes {
  let piece = new Uint8Array(pieceLength);
  let filled = 0;
  for await (const chunk of data) {
    for (let at = 0; at < chunk.length; ) {
      const length = Math.min(pieceLength - filled, chunk.length - at);
      piece.set(chunk.subarray(at, at + length), filled);
      filled += length;
      at += length;
      if (filled < pieceLength) continue;
      yield piece;
      piece = new Uint8Array(pieceLength);
      filled = 0;
    }
  }
  if (filled > 0) yield piece.subarray(0, filled);
}
