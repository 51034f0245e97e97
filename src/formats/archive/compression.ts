// Which compression a stream has, told by its first bytes, and undoing it within limits.
import type { Bytes } from "../../base/index.ts";

export type Compression = "none" | "gzip" | "zstd" | "bzip2" | "xz";

/** Tells the compression by magic number; "none" for anything unknown. Six bytes are enough. */
export function detectCompression(start: Uint8Array): Compression {
  throw new Error(`not yet ${start.length}`);
}

/** Bounds on how far a stream may expand: `slack` bytes, plus `ratio` times the compressed bytes seen, at most `bytes`. */
export interface ExpansionLimits {
  readonly bytes: number;
  readonly ratio: number;
  readonly slack: number;
}

/** Undoes whatever compression `data` turns out to have. Throws `ARCHIVE_INVALID` on damage or bombs, `UNSUPPORTED` on formats that Node cannot read here. */
export async function* decompress(data: Bytes, what: string, limits?: ExpansionLimits): Bytes {
  throw new Error(`not yet ${what} ${limits} ${data}`);
}
