// What the files of a directory held when they were last read, so that unchanged ones are not read again.
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { type Digest, digestHex, log, temporaryName } from "../../../base/index.ts";

/** One regular file. All of it but the digest comes from `lstat`. */
export interface IndexedFile {
  readonly path: string;
  readonly mode: number;
  readonly size: number;
  /** Nanoseconds since 1970. */
  readonly mtime: bigint;
  readonly ctime: bigint;
  readonly ino: bigint;
  readonly digest: Digest;
}

export interface StatIndex {
  readonly size: number;
  /** What its writer noted with it. */
  readonly label: string;
  /** The digest of the file if it has not been touched since it was indexed. */
  digest(file: Omit<IndexedFile, "digest">): Digest | undefined;
  /** Files that were never asked for, in no order. */
  unasked(): Iterable<IndexedFile>;
}

// Layout: magic, sha256 of all that follows, count, length of the label, then one column after the other, the paths ended
// by NUL, and the label.
const magic = "kiln stat index 4\n";
const headerSize = magic.length + 32 + 6;
const rowSize = 8 + 8 + 8 + 8 + 4 + 32;

const debug = log("local");

/** Reads an index; one that is absent or damaged is empty. */
export function readStatIndex(path: string): StatIndex {
  try {
    return parseStatIndex(readFileSync(path));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") {
      debug.debug("stat index unusable", { path, error: String(error) });
    }
    return createIndex(emptyColumns, [], "");
  }
}

/**
 * Replaces the index at `path`. No fsync: a torn file is found out by its checksum and costs one full read of the
 * directory.
 */
export function writeStatIndex(path: string, files: readonly IndexedFile[], label = ""): void {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${dirname(path)}/${temporaryName()}`;
  try {
    writeFileSync(temporary, encodeStatIndex(files, label), { mode: 0o600 });
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

interface Columns {
  readonly mtime: BigInt64Array;
  readonly ctime: BigInt64Array;
  readonly ino: BigUint64Array;
  readonly size: Float64Array;
  readonly mode: Uint32Array;
  readonly digests: Uint8Array;
}

const emptyColumns: Columns = columnsOf(new ArrayBuffer(0), 0);

function columnsOf(buffer: ArrayBuffer, count: number): Columns {
  return {
    mtime: new BigInt64Array(buffer, 0, count),
    ctime: new BigInt64Array(buffer, count * 8, count),
    ino: new BigUint64Array(buffer, count * 16, count),
    size: new Float64Array(buffer, count * 24, count),
    mode: new Uint32Array(buffer, count * 32, count),
    digests: new Uint8Array(buffer, count * 36, count * 32),
  };
}

/** `label` takes at most 65,535 bytes. */
export function encodeStatIndex(files: readonly IndexedFile[], label = ""): Uint8Array {
  const rows = new ArrayBuffer(files.length * rowSize);
  const columns = columnsOf(rows, files.length);
  let paths = "";
  let digests = "";
  for (const [i, file] of files.entries()) {
    columns.mtime[i] = file.mtime;
    columns.ctime[i] = file.ctime;
    columns.ino[i] = file.ino;
    columns.size[i] = file.size;
    columns.mode[i] = file.mode;
    digests += digestHex(file.digest);
    paths += `${file.path}\0`;
  }
  columns.digests.set(Buffer.from(digests, "hex"));
  const names = new TextEncoder().encode(paths + label);
  const out = new Uint8Array(headerSize + rows.byteLength + names.length);
  out.set(new TextEncoder().encode(magic));
  const counts = new DataView(out.buffer);
  counts.setUint32(magic.length + 32, files.length, true);
  counts.setUint16(magic.length + 36, new TextEncoder().encode(label).length, true);
  out.set(new Uint8Array(rows), headerSize);
  out.set(names, headerSize + rows.byteLength);
  out.set(checksum(out), magic.length);
  return out;
}

export function parseStatIndex(data: Uint8Array): StatIndex {
  const text = new TextDecoder();
  if (text.decode(data.subarray(0, magic.length)) !== magic) throw new Error("not a stat index");
  const expected = data.subarray(magic.length, magic.length + 32);
  if (checksum(data).some((byte, i) => byte !== expected[i])) throw new Error("damaged stat index");
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const count = view.getUint32(magic.length + 32, true);
  const end = headerSize + count * rowSize;
  // Copied, because typed arrays want aligned buffers.
  const rows = new Uint8Array(data.subarray(headerSize, end)).buffer;
  const labelAt = data.length - view.getUint16(magic.length + 36, true);
  const paths = text.decode(data.subarray(end, labelAt)).split("\0");
  paths.pop();
  if (paths.length !== count) throw new Error("damaged stat index");
  return createIndex(columnsOf(rows, count), paths, text.decode(data.subarray(labelAt)));
}

function checksum(data: Uint8Array): Uint8Array {
  return createHash("sha256")
    .update(data.subarray(magic.length + 32))
    .digest();
}

function createIndex(columns: Columns, paths: readonly string[], label: string): StatIndex {
  const asked = new Uint8Array(paths.length);
  let byPath: Map<string, number> | undefined;
  let next = 0;
  // In one string: a hundred thousand conversions one by one would take longer than the rest of the reading.
  const hex = Buffer.from(columns.digests).toString("hex");
  // Written as a Digest and checked as a whole: checking each again would double the time of a look-up.
  const digestAt = (i: number) => `sha256:${hex.slice(i * 64, i * 64 + 64)}` as Digest;
  // Directories are walked in the same order every time: the file asked for is nearly always the next one.
  const find = (path: string): number | undefined => {
    if (paths[next] === path) return next++;
    byPath ??= new Map(paths.map((name, i) => [name, i]));
    const found = byPath.get(path);
    if (found !== undefined) next = found + 1;
    return found;
  };
  return {
    size: paths.length,
    label,
    digest(file) {
      const i = find(file.path);
      if (i === undefined) return undefined;
      asked[i] = 1;
      const same =
        columns.mtime[i] === file.mtime &&
        columns.ctime[i] === file.ctime &&
        columns.size[i] === file.size &&
        columns.ino[i] === file.ino &&
        columns.mode[i] === file.mode;
      return same ? digestAt(i) : undefined;
    },
    *unasked() {
      for (const [i, path] of paths.entries()) {
        if (asked[i] === 1) continue;
        const [mtime = 0n, ctime = 0n, ino = 0n] = [
          columns.mtime[i],
          columns.ctime[i],
          columns.ino[i],
        ];
        const [size = 0, mode = 0] = [columns.size[i], columns.mode[i]];
        yield { path, mtime, ctime, ino, size, mode, digest: digestAt(i) };
      }
    },
  };
}
