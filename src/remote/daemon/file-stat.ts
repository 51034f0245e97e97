// A file's facts as fsutil's Stat, whose modes are Go's.
import type { ResultRef } from "../../api/index.ts";
import { goMode } from "../../base/index.ts";
import { fsutil } from "../../formats/proto/index.ts";

type Facts = NonNullable<Awaited<ReturnType<ResultRef["stat"]>>>;
type Stat = NonNullable<fsutil.Packet["stat"]>;

/** `path` as the message is to name it. */
export function statOf(path: string, { size, mode, uid, gid, mtime, linkname }: Facts): Stat {
  // As long as what it says: what is known of files here has no size for links.
  const length = linkname === undefined ? size : new TextEncoder().encode(linkname).length;
  const facts = { size: length, mode: goMode(mode), uid, gid, modTime: String(mtime) };
  const { stat } = fsutil.Packet.create({ stat: { path, ...facts, linkname: linkname ?? "" } });
  if (!stat) throw new Error("a stat that is given is there");
  return stat;
}
