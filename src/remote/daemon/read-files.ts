// Files of results and of containers, as clients read them: with the reference's ranges and its words.
import type { ResultRef } from "../../api/index.ts";
import { type Call, KilnError } from "../../base/index.ts";
import type { fsutil } from "../../formats/proto/index.ts";
import { statOf } from "./file-stat.ts";

type Stat = NonNullable<fsutil.Packet["stat"]>;

/** Of a file, in bytes. A range without length is empty. */
interface Range {
  readonly Offset: number;
  readonly Length: number;
}

const typeBits = 0o170000;
const directoryType = 0o040000;

/** The whole file, or the range of it. Throws `PATH_INVALID` for what is no file. */
export async function readFileOf(
  files: ResultRef,
  path: string,
  range: Range | undefined,
  call: Call,
): Promise<Uint8Array> {
  if (await isDirectory(files, path, call)) throw refused(`read ${path}: is a directory`);
  if (range && (range.Offset < 0 || range.Length < 0))
    throw new KilnError("REQUEST_INVALID", "a range of a file must not be negative");
  const data = await files.readFile(path, call);
  return range ? data.subarray(range.Offset, range.Offset + range.Length) : data;
}

/** What is in a directory, of that only what matches `include`. Throws `PATH_INVALID` for what is none. */
export async function entriesOf(
  files: ResultRef,
  path: string,
  include: string,
  call: Call,
): Promise<Stat[]> {
  if (!(await isDirectory(files, path, call))) throw refused(`stat ${path}: not a directory`);
  const entries = await files.entries(path, include || undefined, call);
  return entries.map(({ name, ...stat }) => statOf(name, stat));
}

/** Links are followed. Throws `PATH_INVALID` where there is nothing. */
export async function statFileOf(files: ResultRef, path: string, call: Call): Promise<Stat> {
  const stat = await files.stat(path, call);
  if (!stat) throw refused(`lstat ${path}: no such file or directory`);
  return statOf(path.split("/").at(-1) ?? "", stat);
}

async function isDirectory(files: ResultRef, path: string, call: Call): Promise<boolean> {
  const stat = await files.stat(path, call);
  if (!stat) throw noSuchFile(path);
  return (stat.mode & typeBits) === directoryType;
}

export function noSuchFile(path: string): KilnError {
  return refused(`open ${path}: no such file or directory`);
}

function refused(message: string): KilnError {
  return new KilnError("PATH_INVALID", message);
}
