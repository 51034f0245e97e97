// The digest of those paths that pass a filter.
import { digestOf } from "../../base/index.ts";
import { treeDigest } from "./content-tree.ts";
import type { ContentStat, FilteredSelector } from "./content-view.ts";
import { below, breathe, entryDigest, headerDigest, type Walk } from "./content-walk.ts";

interface Counted {
  readonly name: string;
  readonly path: string;
  readonly relative: string;
  readonly stat: ContentStat;
}

/** What passes the filter, each path by itself: names below a match count by their last part only, as in BuildKit. */
export async function filteredDigest(walk: Walk, selector: FilteredSelector): Promise<string> {
  const found: { readonly name: string; readonly digest: string }[] = [];
  for (const match of selector.matches) await addMatch(walk, selector, match, found);
  const [only] = found;
  if (!only) return digestOf("");
  if (found.length === 1 && only.name === baseName(selector.pattern)) return only.digest;
  return digestOf(found.map(({ name, digest }) => `${name}${digest}`).join("\0"));
}

async function addMatch(
  walk: Walk,
  { includes, follow, pattern }: FilteredSelector,
  match: string,
  found: { readonly name: string; readonly digest: string }[],
): Promise<void> {
  const { view } = walk;
  const start = view.lstat(match);
  if (!start) return;
  const count = async ({ name, path, stat }: Counted) => {
    let digest: string;
    if (stat.type === "directory") digest = headerDigest(walk, path, stat);
    else if (stat.type === "symlink" && follow) digest = await treeDigest(walk, follow(path));
    else digest = await entryDigest(walk, path, stat);
    found.push({ name, digest });
  };
  const stack: Counted[] = [{ name: baseName(match), path: match, relative: "", stat: start }];
  // Directories that count only if something below them does, outermost first.
  let held: Counted[] = [];
  for (let next = stack.pop(); next; next = stack.pop()) {
    await breathe(walk);
    const { relative, stat, path } = next;
    const directory = stat.type === "directory";
    held = held.filter((one) => one.relative === "" || relative.startsWith(`${one.relative}/`));
    const wanted = includes?.(relative, directory) ?? "yes";
    if (wanted === "no") continue;
    if (wanted === "yes") {
      for (const one of held) await count(one);
      held = [];
      // The root's own header is never part of a filtered copy.
      if (!(relative === "" && directory && pattern === "/")) await count(next);
    } else if (directory && !(relative === "" && pattern === "/")) held.push(next);
    if (!directory) continue;
    for (const name of view.readdir(path).toSorted().reverse()) {
      const child = below(path, name);
      const childStat = view.lstat(child);
      const childRelative = relative === "" ? name : `${relative}/${name}`;
      if (childStat) stack.push({ name, path: child, relative: childRelative, stat: childStat });
    }
  }
}

function baseName(path: string): string {
  return path === "/" ? "/" : path.replace(/\/+$/, "").replace(/^.*\//, "");
}
