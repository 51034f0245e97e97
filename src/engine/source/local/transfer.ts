// Files that come over a session, written into a snapshot as they arrive.
import { chmodSync, closeSync, mkdirSync, openSync, symlinkSync, writeSync } from "node:fs";
import type { FileEntry, FileFilter, Session, StepCall } from "../../../api/index.ts";
import { fromNodeError, KilnError } from "../../../base/index.ts";
import {
  loadSyscalls,
  type Snapshot,
  type Snapshotter,
  withMounted,
} from "../../../storage/snapshot/index.ts";
import { contextChanged, fileType } from "../host-tree.ts";

export interface TransferOptions {
  /** The shared directory's name. */
  readonly name: string;
  readonly filter: FileFilter;
  readonly session: Session;
  readonly snapshotter: Snapshotter;
}

/** Everything belongs to root, as the reference's client sends it. The caller owns the snapshot. */
export async function transferFiles(options: TransferOptions, call: StepCall): Promise<Snapshot> {
  await using active = await options.snapshotter.active(undefined, call);
  const mounts = await active.mounts(call);
  await withMounted(mounts, call, (directory) => writeFiles(options, directory, call));
  return active.commit(call);
}

async function writeFiles(
  { name, filter, session }: TransferOptions,
  directory: string,
  call: StepCall,
): Promise<void> {
  const id = `transferring ${name}:`;
  let bytes = 0;
  const directories: FileEntry[] = [];
  const made = new Set<string>();
  for await (const entry of session.files(name, filter, call)) {
    checkPath(entry, made);
    const path = `${directory}/${entry.path}`;
    const type = fileType(entry.mode);
    if (type === "directory") {
      made.add(entry.path);
      directories.push(entry);
      mkdirSync(path);
      chmodSync(path, entry.mode & 0o7777);
    } else if (type === "symlink") {
      symlinkSync(entry.linkname ?? "", path);
      loadSyscalls().utimensat(path, entry.mtime, entry.mtime);
    } else if (type === "file") {
      await writeFile(session, name, entry, path, call);
      bytes += entry.size;
      call.emit({ type: "progress", step: call.step, id, at: new Date(), current: bytes });
    }
  }
  for (const entry of directories.toReversed()) {
    loadSyscalls().utimensat(`${directory}/${entry.path}`, entry.mtime, entry.mtime);
  }
  call.emit({ type: "progress", step: call.step, id, at: new Date(), current: bytes, done: true });
}

/** Every parent must have come as a directory: so no entry can lead through a symbolic link, or out of the snapshot. */
function checkPath({ path }: FileEntry, made: ReadonlySet<string>): void {
  const cut = path.lastIndexOf("/");
  const name = path.slice(cut + 1);
  const parentKnown = cut === -1 || made.has(path.slice(0, cut));
  if (parentKnown && name !== "" && name !== "." && name !== ".." && !name.includes("\0")) return;
  throw new KilnError(
    "DEFINITION_INVALID",
    `the session sent a file with an impossible path: ${JSON.stringify(path.slice(0, 200))}`,
  );
}

async function writeFile(
  session: Session,
  name: string,
  entry: FileEntry,
  path: string,
  call: StepCall,
): Promise<void> {
  const file = openSync(path, "wx", 0o600);
  try {
    let size = 0;
    for await (const chunk of session.readFile(name, entry.path, call)) {
      size += chunk.length;
      if (size > entry.size) throw contextChanged(entry.path);
      for (let at = 0; at < chunk.length; ) at += writeSync(file, chunk, at);
    }
    if (size !== entry.size) throw contextChanged(entry.path);
  } catch (error) {
    throw fromNodeError(error, `writing ${entry.path} of the build context`);
  } finally {
    closeSync(file);
  }
  chmodSync(path, entry.mode & 0o7777);
  loadSyscalls().utimensat(path, entry.mtime, entry.mtime);
}
