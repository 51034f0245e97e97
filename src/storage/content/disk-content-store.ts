// Blobs as files named by their digest: temporary file, hash, rename; whatever can be seen is whole.
import type { ContentStore } from "./content.ts";

/** Opens (or makes) the store in `dir`: `blobs/sha256/<hex>`. Sweeps what crashed processes left behind. */
export async function openContentStore(dir: string): Promise<ContentStore> {
  throw new Error(`not yet ${dir}`);
}
