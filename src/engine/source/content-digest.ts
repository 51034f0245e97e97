// What files are worth to the cache: BuildKit's content checksums, so that caches written by one are read by the other.
import { type Call, createDigester, type Digest, digestOf } from "../../base/index.ts";
import type { Xattrs } from "../../storage/snapshot/index.ts";
import { contentHeader, type HeaderStat } from "./content-header.ts";
import type { ContentLister } from "./content-lister.ts";
import { hashFile } from "./hash-file.ts";

/** What counts of one path. Times do not: equal files have equal digests whenever they were made. */
export interface ContentStat extends HeaderStat {
  /** Of a regular file: its header, with extended attributes, and bytes (`contentHeader`), where that is known already. */
  readonly digest?: Digest;
}

/**
 * A tree of files as far as its digest needs it. Paths are absolute inside the view (`/a/b`, `/` is its root) and are not
 * resolved by it. Nobody writes below a view while it is used.
 */
export interface ContentView {
  lstat(path: string): ContentStat | undefined;
  readdir(path: string): readonly string[];
  readlink(path: string): string;
  /** All that a copy of the path has too. */
  xattrs(path: string): Xattrs;
  /** Where the file's bytes can be opened. */
  hostPath(path: string): string;
  /** Its files' digests are known, and it can still be looked at when the digest has been made. */
  readonly lasting?: boolean;
  /** All that is below its root, in path order, where that is at hand. */
  readonly entries?: () => Iterable<ContentEntry>;
  /** Owner and mode of its root do not count: it is a directory of the asking side. */
  readonly bareRoot?: boolean;
}

/** Some files of a view. */
export interface ContentSelector {
  /** Absolute and resolved inside the view; where it does not exist it counts as missing, which is a content of its own. */
  readonly path: string;
}

/** Those of the paths, and of what lies below them, that pass a filter; each counts with its last name. */
export interface FilteredSelector {
  /** What was asked for, before wildcards and links were resolved. */
  readonly pattern: string;
  /** Absolute, resolved but for a last link, in path order. */
  readonly matches: readonly string[];
  /** Where a link that is matched leads to; undefined leaves links as they are. */
  readonly follow?: (path: string) => string;
  /**
   * Of what lies below a match, by path relative to it; "" is the match itself. "inside" means that the directory itself is
   * not wanted but something below it may be: it counts only if something does. Absent: everything.
   */
  readonly includes?: (relative: string, directory: boolean) => "yes" | "no" | "inside";
}

/** Which files of a view are meant. */
export interface ContentSelection {
  readonly selectors: readonly (ContentSelector | FilteredSelector)[];
  /** Is told what the digest is made of. */
  readonly lister?: ContentLister;
}

/** How often a long walk lets others run and looks at the call, in milliseconds. */
const sliceMs = 30;

/** Stands where a digest would for what does not exist. */
const missing = "missing";

const digests = new WeakMap<ContentView, Map<string, Promise<string>>>();

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
  const walk: Walk = { view, lister, call, sliceEnd: performance.now() + sliceMs };
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

interface Walk {
  readonly view: ContentView;
  readonly lister: ContentLister | undefined;
  readonly call: Call;
  sliceEnd: number;
}

/** One path with all below it. Without anybody to tell of it, it is computed once a view. */
function treeDigest(walk: Walk, path: string): Promise<string> {
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

function below(directory: string, name: string): string {
  return directory === "/" ? `/${name}` : `${directory}/${name}`;
}

/** Of anything but a directory. */
async function entryDigest(walk: Walk, path: string, stat: ContentStat): Promise<string> {
  const { view, lister, call } = walk;
  if (stat.type !== "file") return headerDigest(walk, path, stat);
  const header = (size: number) => contentHeader({ ...stat, size }, "", view.xattrs(path));
  const digest = stat.digest ?? (await hashFile(view.hostPath(path), header, call)).digest;
  lister?.add(path, stat, digest);
  return digest;
}

/** Of a directory without what is in it, of a link or of a device. */
function headerDigest({ view, lister }: Walk, path: string, stat: ContentStat): string {
  const target = stat.type === "symlink" ? view.readlink(path) : "";
  if (path === "/" && view.bareRoot) {
    lister?.add(path, stat, target);
    return digestOf("");
  }
  const xattrs = view.xattrs(path);
  lister?.add(path, stat, target, xattrs);
  return digestOf(contentHeader(stat, target, xattrs));
}

interface Counted {
  readonly name: string;
  readonly path: string;
  readonly relative: string;
  readonly stat: ContentStat;
}

/** What passes the filter, each path by itself: names below a match count by their last part only, as in BuildKit. */
async function filteredDigest(walk: Walk, selector: FilteredSelector): Promise<string> {
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

async function breathe(walk: Walk): Promise<void> {
  if (performance.now() <= walk.sliceEnd) return;
  await new Promise((resolve) => setImmediate(resolve));
  walk.call.signal.throwIfAborted();
  walk.sliceEnd = performance.now() + sliceMs;
}

/** The same walk over files whose digests are known. Without time for others: it is short. */
function listTree(view: ContentView, start: string, lister: ContentLister): void {
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
function listEntries(entries: Iterable<ContentEntry>, view: ContentView, lister: ContentLister) {
  const root = view.lstat("/");
  if (root) lister.add("/", root, "");
  for (const { path, stat, linkname = "", xattrs } of entries) {
    if (stat.digest !== undefined) lister.add(`/${path}`, stat, stat.digest);
    else lister.add(`/${path}`, stat, linkname, xattrs);
    if (lister.isFull) return;
  }
}

/** A tree as a list in path order, whose files have digests. */
export interface ContentEntry {
  /** Relative; the root is not in the list. */
  readonly path: string;
  readonly stat: ContentStat;
  readonly linkname?: string | undefined;
  readonly xattrs?: Xattrs | undefined;
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
