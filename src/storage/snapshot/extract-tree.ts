// What an extraction knows about the directories below its root: which are real ones, so that no link is ever walked through.
import { chmodSync, lstatSync, mkdirSync, unlinkSync } from "node:fs";
import { fsPath, KilnError, resolveInRoot } from "../../base/index.ts";
import { removeTreeSync } from "./remove-tree.ts";

/** A directory that was made or checked by this extraction, and that nobody else changes. */
export interface Directory {
  /** On the host. */
  readonly path: string;
  readonly children: Map<string, Directory>;
  /** Made for the sake of something below it; the archive has no entry for it (yet). */
  implied: boolean;
  /** False once something else took its place. */
  alive: boolean;
  mtime: bigint | undefined;
  /** Permission bits to set at the very end. */
  mode: number | undefined;
}

/** Called for a directory that is about to be made where a whiteout stands. */
export type OnWhiteoutReplaced = (directory: Directory) => void;

/** Finds and makes directories below `root`, following symbolic links inside of it only. */
export class DirectoryTree {
  readonly root: Directory;
  #lastPath = "";
  #last: Directory;

  constructor(root: string) {
    this.root = directoryAt(root, false);
    this.#last = this.root;
  }

  /**
   * The directory named by `components` (cleaned, without `..`), made with its parents where missing; links on the way
   * are resolved inside the root. Throws `ARCHIVE_INVALID` when something else than a directory is in the way.
   */
  reach(components: readonly string[]): Directory {
    const key = components.join("/");
    if (this.#last.alive && this.#lastPath === key) return this.#last;
    let at = this.root;
    for (const [index, name] of components.entries()) {
      const known = at.children.get(name) ?? this.#look(at, name);
      if (known === undefined) {
        // A link: resolve all of the path at once, then walk what it is called without links.
        at = this.#reachResolved(components.slice(0, index + 1));
        continue;
      }
      at = known;
    }
    this.#lastPath = key;
    this.#last = at;
    return at;
  }

  /** The host path of an entry: its parents resolved, itself not. Nothing is made. */
  locate(components: readonly string[]): string {
    return resolveInRoot(this.root.path, components.join("/"), { followLast: false });
  }

  /** Registers a directory just made in `parent`. */
  add(parent: Directory, name: string, implied: boolean): Directory {
    const made = directoryAt(`${parent.path}/${name}`, implied);
    parent.children.set(name, made);
    return made;
  }

  /** Deletes whatever is called so, a directory with all below it. */
  remove(parent: Directory, name: string, isDirectory: boolean): void {
    const known = parent.children.get(name);
    if (known !== undefined) forget(known);
    parent.children.delete(name);
    if (isDirectory) removeTreeSync(`${parent.path}/${name}`);
    else unlinkSync(fsPath(`${parent.path}/${name}`));
  }

  /** All known directories, children after parents. */
  *all(): Generator<Directory> {
    const pending = [this.root];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      yield next;
      for (const child of next.children.values()) pending.push(child);
    }
  }

  #reachResolved(components: readonly string[]): Directory {
    const resolved = resolveInRoot(this.root.path, components.join("/"), { followLast: true });
    let at = this.root;
    for (const name of resolved.slice(this.root.path.length).split("/")) {
      if (name === "") continue;
      const known = at.children.get(name) ?? this.#look(at, name);
      if (known === undefined)
        throw new KilnError("ARCHIVE_INVALID", `tar archive: ${name} changed while being unpacked`);
      at = known;
    }
    return at;
  }

  /** The directory of that name, made if there is nothing; undefined for a link. */
  #look(parent: Directory, name: string): Directory | undefined {
    const path = `${parent.path}/${name}`;
    const stat = lstatSync(fsPath(path), { throwIfNoEntry: false });
    if (stat?.isDirectory()) return this.add(parent, name, false);
    if (stat?.isSymbolicLink()) return undefined;
    const isWhiteout = stat?.isCharacterDevice() && stat.rdev === 0;
    if (stat !== undefined && !isWhiteout) {
      throw new KilnError(
        "ARCHIVE_INVALID",
        `tar archive: ${JSON.stringify(name)} is used as a directory but is none`,
      );
    }
    if (isWhiteout) unlinkSync(fsPath(path));
    mkdirSync(fsPath(path));
    chmodSync(fsPath(path), 0o755);
    const made = this.add(parent, name, true);
    if (isWhiteout) this.onWhiteoutReplaced(made);
    return made;
  }

  /** Set by who turns archive whiteouts into overlay ones: the new directory must hide what is below, too. */
  onWhiteoutReplaced: OnWhiteoutReplaced = () => {};
}

function directoryAt(path: string, implied: boolean): Directory {
  return { path, children: new Map(), implied, alive: true, mtime: undefined, mode: undefined };
}

/** Each directory dies once, so all replacements of an archive together take linear time. */
function forget(directory: Directory): void {
  const pending = [directory];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    next.alive = false;
    pending.push(...next.children.values());
  }
}

/** The components of an archive's path, cleaned as text: `..` cannot climb above the root. */
export function cleanComponents(path: string): string[] {
  const out: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") out.pop();
    else if (part !== "" && part !== ".") out.push(part);
  }
  return out;
}
