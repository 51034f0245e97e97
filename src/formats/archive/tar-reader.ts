// Streaming tar reader: ustar, pax, GNU long names, base-256 numbers, sparse files of all four kinds.
import type { Bytes, Call } from "../../base/index.ts";
import type { TarHeader, TarLimits, TarSink } from "./tar-header.ts";

/** Feeds every entry of the uncompressed archive `data` to `sink`. Throws `ARCHIVE_INVALID` on damage or excess. */
export async function readTar(
  data: Bytes,
  sink: TarSink,
  call: Call,
  limits?: TarLimits,
): Promise<void> {
  throw new Error(`not yet ${data} ${sink} ${call} ${limits}`);
}

/** An entry with its contents. Read `data` before asking for the next entry; what is left is skipped. */
export interface TarEntry {
  readonly header: TarHeader;
  readonly data: Bytes;
}

/** The entries one after the other, for archives of a few files; `readTar` is faster. */
export async function* tarEntries(
  data: Bytes,
  call: Call,
  limits?: TarLimits,
): AsyncIterable<TarEntry> {
  throw new Error(`not yet ${data} ${call} ${limits}`);
}
