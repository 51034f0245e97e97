// Deterministic tar headers, byte for byte as Go's archive/tar writes them in its PAX format.
import type { TarHeader } from "./tar-header.ts";

/** The header blocks of one entry (a pax record first where ustar's fields do not hold it). Contents and `tarPadding` follow. */
export function encodeTarHeader(header: TarHeader): Uint8Array {
  throw new Error(`not yet ${header}`);
}

/** How many zero bytes follow contents of `size` bytes. */
export function tarPadding(size: number): number {
  return (512 - (size % 512)) % 512;
}

/** The two zero blocks that end an archive. */
export const tarEnd: Uint8Array = new Uint8Array(1024);
