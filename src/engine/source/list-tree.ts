// Telling a lister of a tree whose files' digests are known.
import type { ContentLister } from "./content-lister.ts";
import type { ContentEntry, ContentView } from "./content-view.ts";
import { below } from "./content-walk.ts";

/** One path with all below it, as `treeDigest` walks. Without time for others: it is short. */
export function listTree(view: ContentView, start: string, lister: ContentLister): void {
  if (start === "/" && view.entries) {
    listEntries(view.entries(), view, lister);
    return;
  }
  const stat = view.lstat(start);
  const stack = stat ? [{ path: start, stat }] : [];
  for (let next = stack.pop(); next && !lister.isFull; next = stack.pop()) {
    const { path, stat: found } = next;
    const target = found.type === "symlink" ? view.readlink(path) : "";
    if (found.digest !== undefined) lister.add(path, found, found.digest);
    else lister.add(path, found, target, view.xattrs(path));
    if (found.type !== "directory") continue;
    for (const name of view.readdir(path).toSorted().reverse()) {
      const child = view.lstat(below(path, name));
      if (child) stack.push({ path: below(path, name), stat: child });
    }
  }
}

/** All of a tree, without looking at each path: it may have a hundred thousand. */
function listEntries(
  entries: Iterable<ContentEntry>,
  view: ContentView,
  lister: ContentLister,
): void {
  const root = view.lstat("/");
  if (root) lister.add("/", root, "");
  for (const { path, stat, linkname = "", xattrs } of entries) {
    if (stat.digest !== undefined) lister.add(`/${path}`, stat, stat.digest);
    else lister.add(`/${path}`, stat, linkname, xattrs);
    if (lister.isFull) return;
  }
}
