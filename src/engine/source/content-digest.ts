// What files are worth to the cache: one digest over names, kinds, owners, modes and contents, wherever the files lie.
import { type Call, createDigester, type Digest, type Digester } from "../../base/index.ts";
import type { ContentLister } from "./content-lister.ts";
import { hashFile } from "./hash-file.ts";

/** What counts of one path. Times do not: equal files have equal digests whenever they were made. */
export interface ContentStat {
  readonly type: "file" | "directory" | "symlink" | "fifo" | "char" | "block" | "socket";
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly rdev: number;
  /** Digest of a regular file's bytes, where it is known already. */
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
  /** Where the file's bytes can be opened. */
  hostPath(path: string): string;
  /** Its files' digests are known, and it can still be looked at when the digest has been made. */
  readonly lasting?: boolean;
}

/** Which files of a view are meant. */
export interface ContentSelection {
  /** Absolute and resolved inside the view; where it does not exist it counts as missing, which is a content of its own. */
  readonly paths: readonly string[];
  /** Mixes in the last component of each path: for wildcards, whose matches keep their names. */
  readonly names?: boolean;
  /**
   * Of what lies below a selected directory, by path relative to it. "inside" means that the directory itself is not
   * wanted but something below it may be: it counts only if something does. Absent: everything.
   */
  readonly includes?: (relative: string, directory: boolean) => "yes" | "no" | "inside";
  /** Is told what the digest is made of. */
  readonly lister?: ContentLister;
}

/** How often a long walk lets others run and looks at the call, in milliseconds. */
const sliceMs = 30;

const digests = new WeakMap<ContentView, Map<string, Promise<Digest>>>();

/**
 * Digest of the selected files: the same for the same files in the asking side's directory, in a mounted snapshot, under
 * another root or at another time. Two selections without `includes` on one view are computed once.
 */
export function contentDigest(
  view: ContentView,
  selection: ContentSelection,
  call: Call,
): Promise<Digest> {
  const { lister } = selection;
  if (lister && view.lasting) lister.addLater(() => list(view, selection, lister));
  if (selection.includes || (lister && !view.lasting)) return computeDigest(view, selection, call);
  const known = digests.get(view) ?? new Map<string, Promise<Digest>>();
  digests.set(view, known);
  const key = selectionKey(selection);
  const found = known.get(key);
  if (found) return found;
  const computed = computeDigest(view, selection, call);
  known.set(key, computed);
  // A failure or a cancelled call must not be what the next caller gets.
  computed.catch(() => known.delete(key));
  return computed;
}

function selectionKey({ names, paths }: ContentSelection): string {
  return JSON.stringify([names ?? false, ...paths]);
}

async function computeDigest(
  view: ContentView,
  selection: ContentSelection,
  call: Call,
): Promise<Digest> {
  const records = createRecords();
  const lister = view.lasting ? undefined : selection.lister;
  for (const path of selection.paths) {
    const name = selection.names ? path.slice(path.lastIndexOf("/") + 1) : "";
    records.write(`:${name}\0`);
    const stat = view.lstat(path);
    if (!stat) records.write("missing\0");
    else await walk({ view, records, includes: selection.includes, lister }, path, stat, call);
  }
  return records.digest();
}

interface Walk {
  readonly view: ContentView;
  readonly records: Records;
  readonly includes: ContentSelection["includes"];
  readonly lister: ContentLister | undefined;
}

interface Pending {
  readonly path: string;
  readonly relative: string;
  readonly stat: ContentStat;
}

/** Depth first, names in order, with a stack of its own: trees may be deeper than the call stack. */
async function walk(at: Walk, path: string, stat: ContentStat, call: Call): Promise<void> {
  const stack: Pending[] = [{ path, relative: "", stat }];
  // Directories that count only if something below them does, outermost first.
  let held: Pending[] = [];
  let sliceEnd = performance.now() + sliceMs;
  for (let next = stack.pop(); next; next = stack.pop()) {
    if (performance.now() > sliceEnd) {
      await new Promise((resolve) => setImmediate(resolve));
      call.signal.throwIfAborted();
      sliceEnd = performance.now() + sliceMs;
    }
    const { relative } = next;
    const directory = next.stat.type === "directory";
    held = held.filter((one) => relative.startsWith(`${one.relative}/`));
    const wanted = relative === "" ? "yes" : (at.includes?.(relative, directory) ?? "yes");
    if (wanted === "no") continue;
    if (wanted === "inside") {
      if (directory) held.push(next);
    } else {
      for (const one of held) at.records.write(header(at.view, one));
      held = [];
      const content = await contentOf(at.view, next, call);
      at.records.write(header(at.view, next));
      at.records.write(content);
      at.lister?.add(next.path, next.stat, content || linkTarget(at.view, next));
    }
    if (directory) pushChildren(at.view, next, stack);
  }
}

/** The same walk over files whose digests are known. Without time for others: it is short. */
function list(
  view: ContentView,
  { paths, includes }: ContentSelection,
  lister: ContentLister,
): void {
  for (const start of paths) {
    const stat = view.lstat(start);
    const stack: Pending[] = stat ? [{ path: start, relative: "", stat }] : [];
    for (let next = stack.pop(); next && !lister.isFull; next = stack.pop()) {
      const directory = next.stat.type === "directory";
      const wanted = next.relative === "" ? "yes" : (includes?.(next.relative, directory) ?? "yes");
      if (wanted === "no") continue;
      const content = next.stat.digest ?? linkTarget(view, next);
      if (wanted === "yes") lister.add(next.path, next.stat, content);
      if (directory) pushChildren(view, next, stack);
    }
  }
}

function linkTarget(view: ContentView, { path, stat }: Pending): string {
  return stat.type === "symlink" ? view.readlink(path) : "";
}

function pushChildren(view: ContentView, parent: Pending, stack: Pending[]): void {
  const names = view.readdir(parent.path).toSorted();
  for (let i = names.length - 1; i >= 0; i--) {
    const name = names[i] ?? "";
    const path = parent.path === "/" ? `/${name}` : `${parent.path}/${name}`;
    const stat = view.lstat(path);
    const relative = parent.relative === "" ? name : `${parent.relative}/${name}`;
    if (stat) stack.push({ path, relative, stat });
  }
}

function header(view: ContentView, { path, relative, stat }: Pending): string {
  return contentHeader(relative, stat, stat.type === "symlink" ? view.readlink(path) : "");
}

/** One path's record: all that counts of it but a file's bytes. */
function contentHeader(relative: string, stat: ContentStat, target: string): string {
  const { type, mode, uid, gid, rdev } = stat;
  // The permission bits of a symbolic link mean nothing, and differ between file systems.
  const bits = type === "symlink" ? "" : mode.toString(8);
  const device = type === "char" || type === "block" ? rdev : 0;
  return `${relative}\0${type} ${bits} ${uid} ${gid} ${device}\0${target}\0`;
}

async function contentOf(view: ContentView, entry: Pending, call: Call): Promise<string> {
  if (entry.stat.type !== "file") return "";
  if (entry.stat.digest) return entry.stat.digest;
  const { digest } = await hashFile(view.hostPath(entry.path), call);
  return digest;
}

/** A tree as a list in path order, whose files have digests. */
export interface ContentEntry {
  /** Relative; the root is not in the list. */
  readonly path: string;
  readonly stat: ContentStat;
  readonly linkname?: string | undefined;
}

/**
 * The digest that `contentDigest` gives for the whole of `view`, from a list of what is in it. `contentDigest` will know
 * it without walking.
 */
export function contentDigestOfList(
  root: ContentStat,
  entries: Iterable<ContentEntry>,
  view: ContentView,
): Digest {
  const records = createRecords();
  records.write(`:\0${contentHeader("", root, "")}`);
  for (const { path, stat, linkname } of entries) {
    records.write(contentHeader(path, stat, linkname ?? ""));
    if (stat.type === "file") records.write(stat.digest ?? "");
  }
  const digest = records.digest();
  const known = digests.get(view) ?? new Map<string, Promise<Digest>>();
  digests.set(view, known.set(selectionKey({ paths: ["/"] }), Promise.resolve(digest)));
  return digest;
}

interface Records {
  write(text: string): void;
  digest(): Digest;
}

/** Gathers short records so that the hash is fed in large pieces. */
function createRecords(): Records {
  const digester: Digester = createDigester();
  let buffered = "kiln content 1\0";
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
