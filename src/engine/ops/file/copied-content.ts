// What the sources of copies are worth to the cache: the digest of just the files that would be copied.
import { type Call, type Digest, digestOf } from "../../../base/index.ts";
import type { CopyAction } from "../../../formats/llb/index.ts";
import { createPathFilter } from "../../../formats/patterns/index.ts";
import { type ContentLister, contentDigest } from "../../source/index.ts";
import { type FileView, resolveInView } from "./view.ts";
import { expandWildcards } from "./wildcards.ts";

/** Digest of all that `copies` take from `view`; missing files are a content of their own. `lister` is told of them anew. */
export async function copiedContent(
  view: FileView,
  copies: readonly CopyAction[],
  lister: ContentLister,
  call: Call,
): Promise<Digest> {
  const digests: string[] = [];
  lister.restart();
  for (const copy of copies) {
    const sources = copy.allowWildcard
      ? expandWildcards(view, copy.src, copy.followSymlink)
      : [copy.src];
    const paths = sources.map((source) => resolveInView(view, source, copy.followSymlink));
    const filtered = copy.includePatterns.length > 0 || copy.excludePatterns.length > 0;
    const filter = filtered
      ? createPathFilter(copy.includePatterns, copy.excludePatterns)
      : undefined;
    const includes =
      filter && ((path: string, directory: boolean) => filter.decide(path, directory));
    const names = copy.allowWildcard;
    const selection = { paths, names, lister, ...(includes ? { includes } : {}) };
    digests.push(await contentDigest(view, selection, call));
  }
  return digestOf(digests.join("\n"));
}
