// Several directories of this machine as one list of files, each below a name of its own or all on top of each other.
import type { FileEntry, SharedFiles } from "../../api/index.ts";
import { type Call, fromNodeError, KilnError } from "../../base/index.ts";
import { deviceOf, portableXattrs } from "../snapshot/index.ts";
import { comparePaths } from "./entry-order.ts";
import { fileType } from "./file-type.ts";
import { type ScannedFile, scanBatches } from "./scan.ts";
import { readFile } from "./share.ts";

export interface SharedTree {
  /** Undefined is the empty directory. */
  readonly root: string | undefined;
  /** Name of the directory that its files are put in; empty for none. */
  readonly prefix: string;
  /** Further files, which are in no directory of this machine. They take the place of those of the same path. */
  readonly made?: readonly MadeFile[];
}

export interface MadeFile {
  /** Relative to all trees. */
  readonly path: string;
  readonly data: Uint8Array;
}

/** Where an entry's contents are: in a file, or here. */
interface Source {
  readonly path: string;
  readonly size: number;
  readonly data?: Uint8Array;
}

interface Listed {
  readonly entry: FileEntry;
  readonly source: Omit<Source, "size">;
}

/**
 * Owners, modes and times as they are, times later than `clamp` (nanoseconds) become that. Where trees overlap, only
 * directories may be in several.
 */
export function shareTrees(
  trees: readonly SharedTree[],
  clamp: bigint | undefined,
  call: Call,
): SharedFiles {
  const sources: Source[] = [];
  const buffers: Uint8Array[] = [];
  return {
    entries: listTrees(trees, clamp, sources, call),
    async read(index, take, reading) {
      const source = sources[index];
      if (!source) throw new KilnError("PATH_INVALID", `the result has no file number ${index}`);
      if (source.data) return await take(source.data);
      try {
        await readFile(source, take, buffers, reading);
      } catch (error) {
        throw fromNodeError(error, `reading ${source.path}`);
      }
    },
    async [Symbol.asyncDispose]() {},
  };
}

async function* listTrees(
  trees: readonly SharedTree[],
  clamp: bigint | undefined,
  sources: Source[],
  call: Call,
): AsyncIterable<readonly FileEntry[]> {
  const merged: Listed[] = [];
  const several = trees.length > 1 || trees.some(({ made = [] }) => made.length > 0);
  const send = (list: readonly Listed[]) => {
    for (const { entry, source } of list) sources.push({ ...source, size: entry.size });
    return list.map(({ entry }) => entry);
  };
  for (const { root, prefix, made = [] } of trees) {
    const list = made.map(({ path, data }) => madeEntry(path, data, clamp));
    if (prefix !== "") list.push({ entry: directoryEntry(prefix, clamp), source: { path: "" } });
    if (root !== undefined) {
      const firstNames = new Map<string, string>();
      for await (const batch of scanBatches(root, undefined, call, true)) {
        const found = batch.map((file) => ({
          entry: treeEntry(file, { root, prefix, clamp, firstNames }),
          source: { path: `${root}/${file.path}` },
        }));
        if (several) list.push(...found);
        else yield send([...list.splice(0), ...found]);
      }
    }
    merged.push(...list);
  }
  merged.sort((a, b) => comparePaths(a.entry.path, b.entry.path));
  yield send(merged.filter(({ entry }, i) => entry.path !== merged[i - 1]?.entry.path));
}

interface Place {
  readonly root: string;
  readonly prefix: string;
  readonly clamp: bigint | undefined;
  /** Of files with several names, by inode. */
  readonly firstNames: Map<string, string>;
}

function treeEntry(file: ScannedFile, { root, prefix, clamp, firstNames }: Place): FileEntry {
  const { mode, size, mtime, linkname, shared, uid = 0, gid = 0, rdev } = file;
  const path = prefix === "" ? file.path : `${prefix}/${file.path}`;
  const plain = { path, mode, uid, gid, size, mtime: clamped(mtime, clamp) };
  if (linkname !== undefined) return { ...plain, linkname };
  if (rdev !== undefined) return { ...plain, ...deviceOf(rdev) };
  const isFile = fileType(mode) === "file";
  const xattrs = isFile ? portableXattrs(`${root}/${file.path}`) : file.xattrs;
  const entry = xattrs === undefined || xattrs.size === 0 ? plain : { ...plain, xattrs };
  if (shared === undefined || !isFile) return entry;
  const first = firstNames.get(shared);
  if (first !== undefined) return { ...entry, size: 0, linkname: first };
  firstNames.set(shared, path);
  return entry;
}

function madeEntry(path: string, data: Uint8Array, clamp: bigint | undefined): Listed {
  const { length: size } = data;
  const entry = { path, mode: 0o100600, uid: 0, gid: 0, size, mtime: clamp ?? 0n };
  return { entry, source: { path, data } };
}

function directoryEntry(path: string, clamp: bigint | undefined): FileEntry {
  return { path, mode: 0o040755, uid: 0, gid: 0, size: 0, mtime: clamp ?? 0n };
}

function clamped(mtime: bigint, clamp: bigint | undefined): bigint {
  return clamp !== undefined && mtime > clamp ? clamp : mtime;
}
