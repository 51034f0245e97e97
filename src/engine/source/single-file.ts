// A file system with one file in it: what a download and a blob become.
import { chownSync, closeSync, fchmodSync, openSync, writeSync } from "node:fs";
import type { Bytes, Call } from "../../base/index.ts";
import {
  canChown,
  loadSyscalls,
  noteOwner,
  type Snapshot,
  type Snapshotter,
  withMounted,
} from "../../storage/snapshot/index.ts";

export interface SingleFile {
  /** No path. */
  readonly name: string;
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly modified: Date;
}

/** The caller owns the snapshot. */
export async function singleFile(
  { name, mode, uid, gid, modified }: SingleFile,
  data: Bytes,
  snapshotter: Snapshotter,
  call: Call,
): Promise<Snapshot> {
  await using active = await snapshotter.active(undefined, call);
  const mounts = await active.mounts(call);
  await withMounted(mounts, call, async (directory) => {
    const path = `${directory}/${name}`;
    const file = openSync(path, "wx", 0o600);
    try {
      for await (const chunk of data)
        for (let at = 0; at < chunk.length; ) at += writeSync(file, chunk, at);
      // The bits of setuid would be lost with a new owner.
      if (!canChown) noteOwner(path, uid, gid);
      else if (uid !== 0 || gid !== 0) chownSync(path, uid, gid);
      fchmodSync(file, mode);
    } finally {
      closeSync(file);
    }
    const time = BigInt(modified.getTime()) * 1_000_000n;
    loadSyscalls().utimensat(path, time, time);
  });
  return await active.commit(call);
}
