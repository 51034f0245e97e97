// What files are worth to the cache: BuildKit's content checksums, so that caches written by one are read by the other.
import { type Call, type Digest, digestOf } from "../../base/index.ts";
import { treeDigest } from "./content-tree.ts";
import type { ContentSelection, ContentView } from "./content-view.ts";
import { startWalk } from "./content-walk.ts";
import { filteredDigest } from "./filtered-digest.ts";

/**
 * Digest of the selected files as BuildKit computes it: the same for the same files in the asking side's directory, in a
 * mounted snapshot or at another time. Extended attributes that mean the same everywhere count; so do access lists, which
 * BuildKit leaves out.
 */
export async function contentDigest(
  view: ContentView,
  { selectors, lister }: ContentSelection,
  call: Call,
): Promise<Digest> {
  const walk = startWalk(view, lister, call);
  const found: string[] = [];
  for (const selector of selectors) {
    found.push(
      "path" in selector
        ? await treeDigest(walk, selector.path)
        : await filteredDigest(walk, selector),
    );
  }
  return digestOf(found.join("\0"));
}
