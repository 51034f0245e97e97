// Unpacking tar archives from outside: whatever they say, nothing outside the root is read, written or changed.
import type { Bytes, Call } from "../../base/index.ts";
import type { TarLimits } from "../../formats/archive/index.ts";

export interface ExtractOptions {
  /** Existing directory; nobody else may write below it meanwhile. */
  readonly root: string;
  /** "overlay" turns `.wh.` entries into overlayfs whiteouts (image layers); "none" unpacks them as files. */
  readonly whiteouts: "overlay" | "none";
  /** Owner for everything, instead of what the archive says. */
  readonly owner?: { readonly uid: number; readonly gid: number };
  readonly limits?: TarLimits;
}

export interface Extracted {
  /** Directories that had to be made although the archive does not list them, parents first; "" is the root itself. */
  readonly implied: readonly string[];
}

/** Unpacks the uncompressed archive `data` into `root`, as if `root` were the root directory. */
export async function extractTar(
  data: Bytes,
  options: ExtractOptions,
  call: Call,
): Promise<Extracted> {
  throw new Error(`not yet ${data} ${options} ${call}`);
}
