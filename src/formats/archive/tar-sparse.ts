// Where the data of a sparse file lies: GNU's old header maps and its pax formats 0.0, 0.1 and 1.0.
import { Buffer } from "node:buffer";
import { concatBytes } from "../../base/index.ts";
import type { PaxRecords } from "./pax.ts";
import { invalidArchive, parseNumber } from "./tar-format.ts";

/** A run of stored bytes and its place in the file. */
export interface SparseRun {
  readonly position: number;
  readonly length: number;
}

/** Bytes that all extension parts of one entry may take: pax bodies, long names, sparse maps. As Go's reader has it. */
export const maxExtensionSize: number = 1024 * 1024;

/** Reads the runs of an old GNU header (`count` 4 at 386) or extension block (21 at 0). */
export function parseOldSparse(block: Uint8Array, at: number, count: number): SparseRun[] {
  const runs: SparseRun[] = [];
  for (let i = 0; i < count; i++) {
    const offset = at + i * 24;
    if (block[offset] === 0) break;
    runs.push({
      position: parseNumber(block, offset, 12),
      length: parseNumber(block, offset + 12, 12),
    });
  }
  return runs;
}

/** True when the entry's data starts with the map of format 1.0. */
export function hasMapInData(records: PaxRecords): boolean {
  return textOf(records, "GNU.sparse.major") === "1" && textOf(records, "GNU.sparse.minor") === "0";
}

/** The runs of formats 0.0 and 0.1; undefined where the records describe no sparse file. */
export function parsePaxSparse(records: PaxRecords): SparseRun[] | undefined {
  const map = textOf(records, "GNU.sparse.map");
  if (map === undefined) return undefined;
  return pairs(map === "" ? [] : map.split(","));
}

/** Real size and name of a sparse file, where pax records tell them. */
export function paxSparseSize(records: PaxRecords): number | undefined {
  const text = textOf(records, "GNU.sparse.realsize") ?? textOf(records, "GNU.sparse.size");
  return text === undefined ? undefined : parseCount(text);
}

/** Gathers the map of format 1.0 from the start of an entry's data: lines with the count and then pairs, padded to whole blocks. */
export interface DataMap {
  /** Bytes taken so far. */
  readonly have: number;
  push(piece: Uint8Array): void;
  /** Undefined while lines are missing. */
  runs(): SparseRun[] | undefined;
}

/** A map that has seen nothing yet. It throws `ARCHIVE_INVALID` when it grows too long. */
export function createDataMap(): DataMap {
  const parts: Uint8Array[] = [];
  let have = 0;
  let lines = 0;
  let wanted: number | undefined;
  return {
    get have() {
      return have;
    },
    push(piece) {
      parts.push(piece);
      have += piece.length;
      if (have > maxExtensionSize) throw invalidArchive("a sparse map is too long");
      for (let at = piece.indexOf(0x0a); at !== -1; at = piece.indexOf(0x0a, at + 1)) lines++;
    },
    runs() {
      if (lines === 0) return undefined;
      wanted ??= 1 + 2 * parseCount(latin1(concatBytes(parts)).split("\n", 1)[0] ?? "");
      if (lines < wanted) return undefined;
      return pairs(latin1(concatBytes(parts)).split("\n").slice(1, wanted));
    },
  };
}

/** Throws unless the runs are in order, do not overlap, fit the file and account for all `stored` bytes. */
export function checkRuns(runs: readonly SparseRun[], stored: number, size: number): void {
  let end = 0;
  let sum = 0;
  for (const run of runs) {
    if (run.position < end || run.length < 0) throw invalidArchive("a sparse map is out of order");
    end = run.position + run.length;
    sum += run.length;
  }
  if (end > size || sum !== stored || !Number.isSafeInteger(end))
    throw invalidArchive("a sparse map does not fit its file");
}

function pairs(numbers: readonly string[]): SparseRun[] {
  if (numbers.length % 2 !== 0) throw invalidArchive("a sparse map is malformed");
  const runs: SparseRun[] = [];
  for (let i = 0; i < numbers.length; i += 2) {
    runs.push({ position: parseCount(numbers[i] ?? ""), length: parseCount(numbers[i + 1] ?? "") });
  }
  return runs;
}

/** A decimal number of a pax record. */
export function parseCount(text: string): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value))
    throw invalidArchive(`not a number: ${JSON.stringify(text.slice(0, 40))}`);
  return value;
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}

function textOf(records: PaxRecords, key: string): string | undefined {
  const value = records.get(key);
  return value === undefined ? undefined : Buffer.from(value).toString();
}
