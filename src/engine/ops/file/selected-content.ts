// What the sources of copies are worth to the cache: the digest of just the files that would be copied.
import type { Call, Digest } from "../../../base/index.ts";
import type { InputSelector } from "../../../formats/llb/index.ts";
import { createPathFilter } from "../../../formats/patterns/index.ts";
import { type ContentLister, type ContentSelection, contentDigest } from "../../source/index.ts";
import { type FileView, presentPath, resolveInView } from "./view.ts";
import { expandWildcards } from "./wildcards.ts";

/** Digest of all that is selected of `view`. `lister` is told of it anew. Throws `COPY_NOT_FOUND` for a path that is missing. */
export async function selectedContent(
  view: FileView,
  selected: readonly InputSelector[],
  lister: ContentLister,
  call: Call,
): Promise<Digest> {
  lister.restart();
  const selectors = withoutNested(selected).map((one) => toSelector(view, one));
  return await contentDigest(view, { selectors, lister }, call);
}

function isFiltered({ wildcard, includePatterns, excludePatterns }: InputSelector): boolean {
  return wildcard || includePatterns.length > 0 || excludePatterns.length > 0;
}

/** BuildKit: of plain paths only the outermost, then all in order of their paths. */
function withoutNested(selected: readonly InputSelector[]): readonly InputSelector[] {
  const plain = selected.filter((one) => !isFiltered(one));
  const kept = [false, true].flatMap((follow) => {
    const group = plain.filter(({ followLinks }) => followLinks === follow);
    const paths = [...new Set(group.map(({ path }) => path))].sort();
    const isNested = (path: string) =>
      paths.some((other) => other !== path && path.startsWith(other.replace(/\/?$/, "/")));
    return paths
      .filter((path) => paths.length === 1 || !isNested(path))
      .flatMap((path) => group.find((one) => one.path === path) ?? []);
  });
  return [...kept, ...selected.filter(isFiltered)].sort((a, b) =>
    a.path < b.path ? -1 : a.path > b.path ? 1 : 0,
  );
}

function toSelector(
  view: FileView,
  selector: InputSelector,
): ContentSelection["selectors"][number] {
  const path = `/${selector.path.split("/").filter(Boolean).join("/")}`;
  if (!isFiltered(selector)) return { path: presentPath(view, path, selector.followLinks) };
  const { includePatterns, excludePatterns, followLinks, wildcard } = selector;
  const filter =
    includePatterns.length > 0 || excludePatterns.length > 0
      ? createPathFilter(includePatterns, excludePatterns)
      : undefined;
  const found = wildcard ? expandWildcards(view, path, true) : [path];
  return {
    pattern: path,
    matches: found.map((one) => resolveInView(view, one, false)),
    ...(followLinks ? { follow: (link: string) => resolveInView(view, link, true) } : {}),
    ...(filter
      ? { includes: (relative: string, directory: boolean) => filter.decide(relative, directory) }
      : {}),
  };
}
