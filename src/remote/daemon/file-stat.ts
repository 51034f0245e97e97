// A file's facts as fsutil's Stat, whose modes are Go's.
import type { ResultRef } from "../../api/index.ts";
import { fsutil } from "../../formats/proto/index.ts";

type Facts = NonNullable<Awaited<ReturnType<ResultRef["stat"]>>>;
type Stat = NonNullable<fsutil.Packet["stat"]>;

/** Go's bits of os.FileMode by the file type in st_mode. */
const types: Readonly<Record<number, number>> = {
  9604: 2 ** 31,
  21609: 2 ** 27,
  14406: 2 ** 26,
  4802: 2 ** 26 + 2 ** 21,
  2401: 2 ** 25,
  26411: 2 ** 24,
};

/** Set-user-id, set-group-id and the sticky bit, in st_mode and in Go. */
const bits = [
  [0o4000, 2 ** 23],
  [0o2000, 2 ** 22],
  [0o1000, 2 ** 20],
] as const;

/** Go's os.FileMode of an st_mode. */
export function goMode(mode: number): number {
  const extra = bits.reduce((sum, [bit, go]) => sum + (mode & bit ? go : 0), 0);
  return (mode & 0o777) + extra + (types[mode & 0o170000] ?? 0);
}

export function statOf(path: string, { size, mode }: Facts): Stat {
  const stat = fsutil.Packet.create({ stat: { path, size, mode: goMode(mode) } }).stat;
  if (!stat) throw new Error("a stat that is given is there");
  return stat;
}
