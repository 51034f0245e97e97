// A directory of this machine as files that are lent: scanned while the list is read, files read when they are asked for.
import { closeSync, constants, fstatSync, openSync, read, readSync } from "node:fs";
import { promisify } from "node:util";
import type { FileEntry, FileFilter, SharedFiles, TakeChunk } from "../../api/index.ts";
import { type Call, fromNodeError, fsPath, KilnError } from "../../base/index.ts";
import { portableXattrs } from "../snapshot/index.ts";
import { fileType } from "./file-type.ts";
import { compileFilter } from "./filter.ts";
import { type ScannedFile, scanBatches } from "./scan.ts";

/** Files up to this size are read at once on this thread, which is far faster than asking another; larger ones in such pieces. */
const pieceSize = 1 << 20;
const smallFile = 128 * 1024;

/** Entries belong to root, as the reference's client has it. The directory is only read. */
export function shareDirectory(directory: string, filter: FileFilter, call: Call): SharedFiles {
  const buffers: Uint8Array[] = [];
  const paths: string[] = [];
  const sizes: number[] = [];
  const scan = async function* (): AsyncIterable<readonly FileEntry[]> {
    const firstNames = new Map<string, string>();
    const wanted = compileFilter(directory, filter);
    try {
      for await (const batch of scanBatches(directory, wanted, call)) {
        for (const { path, size } of batch) {
          paths.push(path);
          sizes.push(size);
        }
        yield batch.map((file) => sharedEntry(directory, file, firstNames));
      }
    } catch (error) {
      throw fromNodeError(error, `reading ${directory}`);
    }
  };
  return {
    entries: scan(),
    async read(index, take, reading) {
      const path = paths[index];
      if (path === undefined) {
        throw new KilnError("PATH_INVALID", `${directory} has no file number ${index}`);
      }
      try {
        const file = { path: `${directory}/${path}`, size: sizes[index] ?? 0 };
        await readFile(file, take, buffers, reading);
      } catch (error) {
        throw gone(error, path) ?? fromNodeError(error, `reading ${path} of ${directory}`);
      }
    },
    async [Symbol.asyncDispose]() {},
  };
}

function sharedEntry(
  directory: string,
  file: ScannedFile,
  firstNames: Map<string, string>,
): FileEntry {
  const { path, mode, size, mtime, linkname, shared } = file;
  const entry: Mutable<FileEntry> = { path, mode, uid: 0, gid: 0, size, mtime };
  if (linkname !== undefined) {
    entry.linkname = linkname;
    return entry;
  }
  const isFile = fileType(mode) === "file";
  const xattrs = isFile ? portableXattrs(`${directory}/${path}`) : file.xattrs;
  if (xattrs !== undefined && xattrs.size > 0) entry.xattrs = xattrs;
  if (shared === undefined) return entry;
  const first = firstNames.get(shared);
  if (first === undefined) firstNames.set(shared, path);
  else {
    entry.size = 0;
    entry.linkname = first;
  }
  return entry;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const readAsync = promisify(read);

const readFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * Reads one regular file, of the expected size or another, piece by piece. Nothing but a regular file is opened for reading.
 * `buffers` holds what the taker has given back: never another asker's, for files of this one are still in it.
 */
export async function readFile(
  { path, size }: { readonly path: string; readonly size: number },
  take: TakeChunk,
  buffers: Uint8Array[],
  call: Call,
): Promise<void> {
  if (size > smallFile) return readLargeFile(path, take, buffers, call);
  const file = openSync(fsPath(path), readFlags);
  try {
    // One byte more than expected tells whether it has grown.
    let buffer = new Uint8Array(size + 1);
    if (fileType(fstatSync(file).mode) !== "file") throw notAFile(path);
    for (;;) {
      const count = readSync(file, buffer, 0, buffer.length, null);
      if (count === 0) return;
      await take(buffer.subarray(0, count));
      if (count < buffer.length) return;
      buffer = new Uint8Array(smallFile);
    }
  } finally {
    closeSync(file);
  }
}

async function readLargeFile(
  path: string,
  take: TakeChunk,
  buffers: Uint8Array[],
  call: Call,
): Promise<void> {
  // Mounts of this process are seen by this thread only: others may read what it has opened.
  const file = openSync(fsPath(path), readFlags);
  try {
    if (fileType(fstatSync(file).mode) !== "file") throw notAFile(path);
    const readPiece = () => {
      // New memory for every piece would have V8 collect garbage all the time.
      const buffer = buffers.pop() ?? new Uint8Array(pieceSize);
      return readAsync(file, buffer, 0, pieceSize, null);
    };
    let next = readPiece();
    try {
      for (;;) {
        const { bytesRead, buffer } = await next;
        call.signal.throwIfAborted();
        if (bytesRead === 0) return;
        // The next piece is read while this one is taken.
        next = readPiece();
        next.catch(() => {});
        await take(buffer.subarray(0, bytesRead), () => buffers.push(buffer));
      }
    } finally {
      // A descriptor must not be closed, and be another file's, while it is read.
      await next.catch(() => {});
    }
  } finally {
    closeSync(file);
  }
}

function notAFile(path: string): KilnError {
  return new KilnError("CONTEXT_CHANGED", `${path} is no longer a regular file`);
}

function gone(error: unknown, path: string): KilnError | undefined {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== "ENOENT" && code !== "ELOOP" && code !== "ENOTDIR") return undefined;
  return new KilnError("CONTEXT_CHANGED", `${path} changed while it was being read`, {
    hint: "Build again when nothing writes to the context, or list the file in .dockerignore.",
    details: { path },
  });
}
