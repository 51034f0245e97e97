// Files that a step of some user has made where all must belong to the one user there is: noted as that user's.
import type { BigIntStats } from "node:fs";
import { decodeOwner, type NotedOwner, noteOwner, ownerNote } from "./owner-note.ts";
import type { Mount } from "./snapshot.ts";
import { loadSyscalls } from "./syscalls.ts";
import { inside, isWhiteoutStat, namesIn, pathIn, statOf } from "./tree-files.ts";
import { isOpaque } from "./whiteout.ts";

const setGroupId = 0o2000n;

/**
 * Notes `owner` for the regular files and directories that were made in a writable view since `since` (nanoseconds since
 * 1970) and that nobody was noted for; in directories that hand their group on, that group. The view is not mounted any more.
 */
export function noteNewFiles(mounts: readonly Mount[], owner: NotedOwner, since: bigint): void {
  for (const mount of mounts) {
    if (mount.type === "bind") {
      if (!mount.readonly) new NewFiles(mount.source, owner, () => olderThan(since)).run([]);
    } else if (mount.upper !== undefined) {
      const { upper, lower, userXattr = false } = mount;
      new NewFiles(upper, owner, (path, below) => shownBelow(path, below, userXattr)).run(lower);
    }
  }
}

/** Whether a file without a note is new, and what of the layers below is seen through a directory. */
interface Answer {
  isNew(stat: BigIntStats): boolean;
  readonly below: readonly string[];
}

class NewFiles {
  readonly #root: string;
  readonly #owner: NotedOwner;
  readonly #ask: (path: string, below: readonly string[]) => Answer;

  constructor(
    root: string,
    owner: NotedOwner,
    ask: (path: string, below: readonly string[]) => Answer,
  ) {
    this.#root = root;
    this.#owner = owner;
    this.#ask = ask;
  }

  run(below: readonly string[]): void {
    const stat = statOf(this.#root);
    if (stat !== undefined) this.#directory("", stat, below);
  }

  #directory(path: string, own: BigIntStats, below: readonly string[]): void {
    const directory = pathIn(this.#root, path);
    const gid = (own.mode & setGroupId) === 0n ? this.#owner.gid : (notedAt(directory)?.gid ?? 0);
    const { uid } = this.#owner;
    for (const name of namesIn(directory)) {
      const child = inside(path, name);
      const stat = statOf(pathIn(this.#root, child));
      if (stat === undefined || !(stat.isDirectory() || stat.isFile())) continue;
      const answer = this.#ask(child, below);
      const gives = uid !== 0 || gid !== 0;
      if (gives && answer.isNew(stat) && notedAt(pathIn(this.#root, child)) === undefined)
        noteOwner(pathIn(this.#root, child), uid, gid);
      if (stat.isDirectory()) this.#directory(child, stat, answer.below);
    }
  }
}

/** A plain copy of what was there: what was made later is new. */
function olderThan(since: bigint): Answer {
  return { isNew: (stat) => stat.birthtimeNs >= since, below: [] };
}

/** An overlay keeps notes when it copies a file up: one that has lost its note was made anew. */
function shownBelow(path: string, below: readonly string[], userXattr: boolean): Answer {
  const shown: string[] = [];
  let top: string | undefined;
  for (const layer of below) {
    const at = pathIn(layer, path);
    const stat = statOf(at);
    if (stat === undefined) continue;
    if (isWhiteoutStat(stat)) break;
    top ??= at;
    if (!stat.isDirectory()) break;
    shown.push(layer);
    if (isOpaque(at, userXattr)) break;
  }
  return { isNew: () => top === undefined || notedAt(top) !== undefined, below: shown };
}

function notedAt(path: string): NotedOwner | undefined {
  const value = loadSyscalls().lgetxattr(path, ownerNote);
  return value && decodeOwner(value);
}
