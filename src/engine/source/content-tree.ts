// The digest of one path with all that is below it.
import { createDigester, type Digest, digestOf } from "../../base/index.ts";
import { contentHeader } from "./content-header.ts";
import type { ContentEntry, ContentStat, ContentView } from "./content-view.ts";
import { below, breathe, entryDigest, headerDigest, type Walk } from "./content-walk.ts";
import { listTree } from "./list-tree.ts";

/** Stands where a digest would for what does not exist. */
const missing = "missing";

const digests = new WeakMap<ContentView, Map<string, Promise<string>>>();

/** One path with all below it. Without anybody to tell of it, it is computed once a view. */
export function treeDigest(walk: Walk, path: string): Promise<string> {
  const { view, lister } = walk;
  if (lister && view.lasting) lister.addLater(() => listTree(view, path, lister));
  if (lister && !view.lasting) return computeTree(walk, path);
  const known = digests.get(view) ?? new Map<string, Promise<string>>();
  digests.set(view, known);
  const found = known.get(path);
  if (found) return found;
  const computed = computeTree({ ...walk, lister: undefined }, path);
  known.set(path, computed);
  // A failure or a cancelled call must not be what the next caller gets.
  computed.catch(() => known.delete(path));
  return computed;
}

interface OpenDirectory {
  readonly name: string;
  readonly path: string;
  readonly records: Records;
  readonly names: readonly string[];
  next: number;
}

/** Depth first, names in order, with a stack of its own: trees may be deeper than the call stack. */
async function computeTree(walk: Walk, start: string): Promise<string> {
  const { view } = walk;
  const stat = view.lstat(start);
  if (!stat) return missing;
  if (stat.type !== "directory") return await entryDigest(walk, start, stat);
  const stack = [openDirectory(walk, start, "", stat)];
  for (;;) {
    await breathe(walk);
    const top = stack.at(-1) as OpenDirectory;
    const name = top.names[top.next++];
    if (name === undefined) {
      stack.pop();
      const digest = top.records.digest();
      const parent = stack.at(-1);
      if (!parent) return digest;
      parent.records.write(`\0${top.name}${digest}`);
      continue;
    }
    const path = below(top.path, name);
    const child = view.lstat(path);
    if (!child) continue;
    if (child.type === "directory") stack.push(openDirectory(walk, path, name, child));
    else top.records.write(`\0${name}${await entryDigest(walk, path, child)}`);
  }
}

function openDirectory(walk: Walk, path: string, name: string, stat: ContentStat): OpenDirectory {
  const records = createRecords();
  records.write(`\0${headerDigest(walk, path, stat)}`);
  return { name, path, records, names: walk.view.readdir(path).toSorted(), next: 0 };
}

/**
 * The digest that `contentDigest` gives for the whole of `view`, whose root is bare, from a list of what is in it: depth
 * first, names in order. `contentDigest` will know it without walking.
 */
export function contentDigestOfList(entries: Iterable<ContentEntry>, view: ContentView): Digest {
  const root = createRecords();
  root.write(`\0${digestOf("")}`);
  const stack: { readonly name: string; readonly prefix: string; readonly records: Records }[] = [
    { name: "", prefix: "", records: root },
  ];
  const close = () => {
    const top = stack.pop();
    if (top) stack.at(-1)?.records.write(`\0${top.name}${top.records.digest()}`);
  };
  for (const { path, stat, linkname, xattrs } of entries) {
    while (!path.startsWith(stack.at(-1)?.prefix ?? "")) close();
    const name = path.slice(path.lastIndexOf("/") + 1);
    const own = stat.type === "file" && stat.digest ? stat.digest : undefined;
    const digest = own ?? digestOf(contentHeader(stat, linkname ?? "", xattrs));
    if (stat.type === "directory") {
      const records = createRecords();
      records.write(`\0${digest}`);
      stack.push({ name, prefix: `${path}/`, records });
    } else stack.at(-1)?.records.write(`\0${name}${digest}`);
  }
  while (stack.length > 1) close();
  const digest = root.digest();
  const known = digests.get(view) ?? new Map<string, Promise<string>>();
  digests.set(view, known.set("/", Promise.resolve(digest)));
  return digest;
}

interface Records {
  write(text: string): void;
  digest(): Digest;
}

/** Gathers short records so that the hash is fed in large pieces. */
function createRecords(): Records {
  const digester = createDigester();
  let buffered = "";
  return {
    write(text) {
      buffered += text;
      if (buffered.length < 65536) return;
      digester.update(buffered);
      buffered = "";
    },
    digest: () => digester.update(buffered).digest(),
  };
}
