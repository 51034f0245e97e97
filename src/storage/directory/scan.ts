// Walking a directory of the asking side: synchronous calls on one thread, which beat every other way by far.
import { type BigIntStats, lstatSync, readdirSync, readlinkSync } from "node:fs";
import { type Call, KilnError } from "../../base/index.ts";
import type { PathFilter } from "../../formats/patterns/index.ts";
import { type HostEntry, portableXattrs } from "../snapshot/index.ts";
import { sortNames } from "./entry-order.ts";
import { fileType } from "./file-type.ts";

/** An entry that also remembers when its inode last changed, in nanoseconds: no program can set that. */
export interface ScannedEntry extends HostEntry {
  readonly ctime: bigint;
}

/** A regular file, a directory or a symbolic link, with the inode number that the stat index needs. */
export interface ScannedFile extends ScannedEntry {
  readonly ino: bigint;
  readonly uid?: number;
  readonly gid?: number;
}

/** How often a long walk lets others run and looks at the call, in milliseconds. */
const sliceMs = 30;

/** Wanted entries in path order, parents before children. Sockets and devices are left out, as the reference does. */
export async function scanDirectory(
  directory: string,
  filter: PathFilter | undefined,
  call: Call,
): Promise<readonly ScannedFile[]> {
  const found: ScannedFile[] = [];
  for await (const batch of scanBatches(directory, filter, call))
    for (const one of batch) found.push(one);
  return found;
}

/** The same, as they are found. */
export async function* scanBatches(
  directory: string,
  filter: PathFilter | undefined,
  call: Call,
): AsyncIterable<readonly ScannedFile[]> {
  const walk: Walk = { directory, filter, found: [], held: [] };
  let sliceEnd = performance.now() + sliceMs;
  const stack = childrenOf(directory, "").reverse();
  for (let path = stack.pop(); path !== undefined; path = stack.pop()) {
    if (performance.now() > sliceEnd) {
      yield walk.found;
      walk.found = [];
      await new Promise((resolve) => setImmediate(resolve));
      call.signal.throwIfAborted();
      sliceEnd = performance.now() + sliceMs;
    }
    if (!visit(walk, path)) continue;
    const names = childrenOf(directory, path);
    for (let i = names.length - 1; i >= 0; i--) stack.push(names[i] ?? "");
  }
  yield walk.found;
}

interface Walk {
  readonly directory: string;
  readonly filter: PathFilter | undefined;
  found: ScannedFile[];
  /** Directories that are wanted only if something below them is, outermost first. */
  held: ScannedFile[];
}

/** Takes in one path; true for a directory that is to be looked into. */
function visit(walk: Walk, path: string): boolean {
  const stat = lstatSync(`${walk.directory}/${path}`, { bigint: true, throwIfNoEntry: false });
  if (!stat) {
    // It was listed a moment ago: either it is gone, or its name is not UTF-8 and was mangled on the way.
    if (path.includes("\ufffd")) throw badName(path);
    return false;
  }
  const type = fileType(Number(stat.mode));
  if (type === "socket" || type === "char" || type === "block") return false;
  const directory = type === "directory";
  const verdict = walk.filter?.decide(path, directory) ?? "yes";
  if (verdict === "no") return false;
  if (walk.held.length > 0) {
    walk.held = walk.held.filter((parent) => path.startsWith(`${parent.path}/`));
  }
  const entry = entryOf(walk.directory, path, stat, type === "symlink");
  if (verdict === "inside") {
    if (directory) walk.held.push(entry);
    return directory;
  }
  walk.found.push(...walk.held, entry);
  walk.held = [];
  return directory;
}

function entryOf(directory: string, path: string, stat: BigIntStats, link: boolean): ScannedFile {
  const mode = Number(stat.mode);
  const type = fileType(mode);
  // Those of files are looked at when the files are read: a system call for each would be one for nothing.
  const xattrs = type === "directory" ? portableXattrs(`${directory}/${path}`) : undefined;
  return {
    path,
    mode,
    size: type === "file" ? Number(stat.size) : 0,
    mtime: stat.mtimeNs,
    ctime: stat.ctimeNs,
    ino: stat.ino,
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    ...(stat.nlink > 1n && stat.isFile() ? { shared: `${stat.dev}:${stat.ino}` } : {}),
    ...(link ? { linkname: readlinkSync(`${directory}/${path}`) } : {}),
    ...(xattrs === undefined || xattrs.size === 0 ? {} : { xattrs }),
  };
}

function childrenOf(directory: string, path: string): string[] {
  const names = sortNames(readdirSync(path === "" ? directory : `${directory}/${path}`));
  return path === "" ? names : names.map((name) => `${path}/${name}`);
}

function badName(path: string): KilnError {
  return new KilnError("UNSUPPORTED", `the name of ${JSON.stringify(path)} is not valid UTF-8`, {
    hint: "Rename the file, or exclude its directory in .dockerignore.",
  });
}
