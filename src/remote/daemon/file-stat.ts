// A file's facts as fsutil's Stat, whose modes are Go's.
import type { ResultRef } from "../../api/index.ts";
import { fsutil } from "../../formats/proto/index.ts";

type Facts = NonNullable<Awaited<ReturnType<ResultRef["stat"]>>>;
type Stat = NonNullable<fsutil.Packet["stat"]>;

/** Go's bits of os.FileMode by the file type in st_mode. */
const types: ReadonlyMap<number, number> = new Map([
  [0o040000, 2 ** 31],
  [0o120000, 2 ** 27],
  [0o060000, 2 ** 26],
  [0o020000, 2 ** 26 + 2 ** 21],
  [0o010000, 2 ** 25],
  [0o140000, 2 ** 24],
]);

/** Set-user-id, set-group-id and the sticky bit, in st_mode and in Go. */
const bits = [
  [0o4000, 2 ** 23],
  [0o2000, 2 ** 22],
  [0o1000, 2 ** 20],
] as const;

/** Go's os.FileMode of an st_mode. */
export function goMode(mode: number): number {
  const extra = bits.reduce((sum, [bit, go]) => sum + (mode & bit ? go : 0), 0);
  return (mode & 0o777) + extra + (types.get(mode & 0o170000) ?? 0);
}

/** `path` as the message is to name it. */
export function statOf(path: string, { size, mode, uid, gid, mtime, linkname }: Facts): Stat {
  const facts = { size, mode: goMode(mode), uid, gid, modTime: String(mtime) };
  const { stat } = fsutil.Packet.create({ stat: { path, ...facts, linkname: linkname ?? "" } });
  if (!stat) throw new Error("a stat that is given is there");
  return stat;
}
