// What the kernel says of one file, without the objects that Node makes of each answer: contexts have very many.
import { lstatSync } from "node:fs";
import { fsPath } from "../../base/index.ts";
import { loadSyscalls, type Syscalls } from "../snapshot/index.ts";

/** As of lstat(2); times in nanoseconds. */
export interface FileStat {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: bigint;
  readonly ctime: bigint;
  readonly ino: bigint;
  readonly nlink: number;
  /** Number of the device that holds the file, in whatever form: it is only compared. */
  readonly dev: bigint;
  /** Of devices: number of the device it stands for. */
  readonly rdev: bigint;
}

/** `struct statx`, in words of four and eight bytes. */
const answer = new Uint8Array(256);
const words = new Uint32Array(answer.buffer);
const longs = new BigInt64Array(answer.buffer);
const halves = new Uint16Array(answer.buffer);

let syscalls: Syscalls | null | undefined;

/** Of the file itself where it is a link; undefined where nothing is. */
export function statFile(path: string): FileStat | undefined {
  syscalls ??= syscallsOrNull();
  // Devices are rare, and their numbers written in two ways.
  if (!syscalls?.statx(path, answer) || words[32] !== 0 || words[33] !== 0) return statByNode(path);
  return fromAnswer();
}

/** Who only lends directories may do without. */
function syscallsOrNull(): Syscalls | null {
  try {
    return loadSyscalls();
  } catch {
    return null;
  }
}

function fromAnswer(): FileStat {
  return {
    mode: halves[14] as number,
    uid: words[5] as number,
    gid: words[6] as number,
    size: Number(longs[5]),
    mtime: time(14),
    ctime: time(12),
    ino: longs[4] as bigint,
    nlink: words[4] as number,
    dev: longs[17] as bigint,
    rdev: 0n,
  };
}

/** Seconds, and behind them nanoseconds. */
function time(at: number): bigint {
  return (longs[at] as bigint) * 1_000_000_000n + BigInt(words[at * 2 + 2] as number);
}

function statByNode(path: string): FileStat | undefined {
  const stat = lstatSync(fsPath(path), { bigint: true, throwIfNoEntry: false });
  if (!stat) return undefined;
  return {
    mode: Number(stat.mode),
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    size: Number(stat.size),
    mtime: stat.mtimeNs,
    ctime: stat.ctimeNs,
    ino: stat.ino,
    nlink: Number(stat.nlink),
    dev: stat.dev,
    rdev: stat.rdev,
  };
}
