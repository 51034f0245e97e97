// Digests for the files of a scanned directory: from the stat index where it can be trusted, else by reading them.
import { lstatSync } from "node:fs";
import type { Call, Digest } from "../../../base/index.ts";
import { fileType, type ScannedFile } from "../../../storage/directory/index.ts";
import { portableXattrs, type Xattrs } from "../../../storage/snapshot/index.ts";
import { contentHeader } from "../content-header.ts";
import { hashFile } from "../hash-file.ts";
import { contextChanged } from "../host-tree.ts";
import { type IndexedFile, readStatIndex, writeStatIndex } from "./stat-index.ts";

export interface HashFilesOptions {
  readonly directory: string;
  /** File of the stat index. */
  readonly index: string;
  /** Milliseconds since 1970, by the clock that stamps the files. */
  readonly now: () => number;
  /** Called now and then, with the bytes looked at so far. */
  readonly onProgress: (bytes: number) => void;
}

/**
 * A file changed less than this before it was read may change again without its times showing it: it is read again next
 * time (git calls such entries racily clean). Two seconds are the coarsest time stamps of any file system.
 */
const racyNs = 2_000_000_000n;

/** Fewer files and bytes than this are read sooner than their index. */
const worthIndexing = { files: 64, bytes: 8 * 1024 * 1024 };

const sliceMs = 30;
const attempts = 3;

/** The same entries with digests on regular files. Throws `CONTEXT_CHANGED` for a file that does not hold still. */
export async function hashFiles(
  files: readonly ScannedFile[],
  options: HashFilesOptions,
  call: Call,
): Promise<readonly ScannedFile[]> {
  const bytes = files.reduce((sum, file) => sum + file.size, 0);
  const indexed = files.length >= worthIndexing.files || bytes >= worthIndexing.bytes;
  const index = indexed ? readStatIndex(options.index) : undefined;
  const settled = BigInt(Math.floor(options.now())) * 1_000_000n - racyNs;
  const out: ScannedFile[] = [];
  const known: IndexedFile[] = [];
  let misses = 0;
  let seen = 0;
  let sliceEnd = performance.now() + sliceMs;
  for (const file of files) {
    if (performance.now() > sliceEnd) {
      options.onProgress(seen);
      await new Promise((resolve) => setImmediate(resolve));
      call.signal.throwIfAborted();
      sliceEnd = performance.now() + sliceMs;
    }
    if (fileType(file.mode) !== "file") {
      out.push(file);
      continue;
    }
    const found = index?.digest(file);
    if (found === undefined) misses++;
    const hashed =
      found === undefined ? await readFile(options.directory, file, call) : withDigest(file, found);
    seen += hashed.size;
    out.push(hashed);
    if (hashed.ctime < settled && hashed.mtime < settled) known.push(hashed);
  }
  if (index && misses > 0) {
    writeStatIndex(options.index, [...known, ...stillThere(options.directory, index.unasked())]);
  }
  options.onProgress(seen);
  return out;
}

type HashedFile = ScannedFile & { readonly digest: Digest };

/** Member by member: spreading a hundred thousand objects takes longer than looking them up. */
function withDigest(file: ScannedFile, digest: Digest, xattrs?: Xattrs): HashedFile {
  const { path, mode, size, mtime, ctime, ino, shared } = file;
  const hashed: HashedFile & { xattrs?: Xattrs } =
    shared === undefined
      ? { path, mode, size, mtime, ctime, ino, digest }
      : { path, mode, size, mtime, ctime, ino, digest, shared };
  if (xattrs) hashed.xattrs = xattrs;
  return hashed;
}

/** Reads a file until it holds still: its state before and after the reading must be the same. */
async function readFile(directory: string, file: ScannedFile, call: Call): Promise<HashedFile> {
  const path = `${directory}/${file.path}`;
  let before: ScannedFile = file;
  for (let attempt = 0; attempt < attempts; attempt++) {
    const { digest, stat, xattrs } = await hashUnlessGone(path, before, call);
    const after: ScannedFile = {
      path: file.path,
      mode: Number(stat.mode),
      size: Number(stat.size),
      mtime: stat.mtimeNs,
      ctime: stat.ctimeNs,
      ino: stat.ino,
      ...(file.shared !== undefined && file.ino === stat.ino ? { shared: file.shared } : {}),
    };
    if (fileType(after.mode) !== "file") break;
    const same = after.ctime === before.ctime && after.mode === before.mode;
    if (same && after.size === before.size && after.ino === before.ino) {
      return withDigest(after, digest, xattrs);
    }
    before = after;
  }
  throw contextChanged(file.path);
}

async function hashUnlessGone(path: string, { path: name, mode }: ScannedFile, call: Call) {
  // As the builder will own it: a directory of the asking side has no owners.
  const stat = { type: "file", mode: mode & 0o7777, uid: 0, gid: 0, rdev: 0 } as const;
  try {
    const xattrs = portableXattrs(path);
    const header = (size: number) => contentHeader({ ...stat, size }, "", xattrs);
    return { ...(await hashFile(path, header, call)), xattrs };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Gone, or a link or a directory now.
    if (code === "ENOENT" || code === "ELOOP" || code === "EISDIR") throw contextChanged(name);
    throw error;
  }
}

/** Files that this scan left out, but that another selection of the same directory will ask for. */
function* stillThere(directory: string, files: Iterable<IndexedFile>): Iterable<IndexedFile> {
  for (const file of files) {
    const stat = lstatSync(`${directory}/${file.path}`, { bigint: true, throwIfNoEntry: false });
    if (stat?.ctimeNs === file.ctime) yield file;
  }
}
