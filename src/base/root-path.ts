// The one place that resolves paths inside a root directory: symbolic links and `..` never lead out of it, as in a chroot.
import { lstatSync, readlinkSync } from "node:fs";
import { KilnError } from "./errors.ts";
import { decodeName, fsPath } from "./file-name.ts";

export interface ResolveOptions {
  /** Whether a symbolic link in last place is followed too. */
  readonly followLast: boolean;
}

/** More links than Linux follows (40), since those that lead out of the root are followed here too; Go's RootPath has 255. */
const maxLinks = 255;
/** Longest path that is walked; Linux's PATH_MAX is 4096. */
const maxPathLength = 16 * 1024;

/**
 * The host path that `path` means to a process whose root directory is `root`; `root` itself is trusted and not resolved.
 * What does not exist is taken as it is written, `..` cancelling what is before it. Throws `PATH_INVALID` on link loops,
 * NUL and excessive length. Holds only while nobody else changes the tree: for trees that running programs can change,
 * stop them first.
 */
export function resolveInRoot(root: string, path: string, options: ResolveOptions): string {
  const base = root === "/" ? "" : root.replace(/\/+$/, "");
  const pending = componentsOf(path, path);
  const wantsDirectory = /(^|\/)\.{0,2}$/.test(path);
  let current = base;
  let links = 0;
  let length = path.length;
  // Below something that does not exist there is nothing to look at.
  let missingAt: number | undefined;
  for (let part = pending.pop(); part !== undefined; part = pending.pop()) {
    if (part === "..") {
      if (current.length > base.length) current = current.slice(0, current.lastIndexOf("/"));
      if (missingAt !== undefined && current.length < missingAt) missingAt = undefined;
      continue;
    }
    const next = `${current}/${part}`;
    const last = pending.length === 0;
    if (missingAt !== undefined || (last && !options.followLast && !wantsDirectory)) {
      current = next;
      continue;
    }
    const target = linkAt(next);
    if (target === undefined) missingAt = next.length;
    if (target === undefined || target === "") {
      current = next;
      continue;
    }
    length += target.length;
    if (++links > maxLinks || length > maxPathLength * 4)
      throw invalid(path, "too many levels of symbolic links");
    if (target.startsWith("/")) current = base;
    for (const component of componentsOf(target, path)) pending.push(component);
  }
  return current === "" ? "/" : current;
}

/** The components in reverse, ready to be popped; empty ones and `.` say nothing. */
function componentsOf(text: string, path: string): string[] {
  if (text.includes("\0")) throw invalid(path, "it contains a NUL character");
  if (text.length > maxPathLength) throw invalid(path, "it is too long");
  return text
    .split("/")
    .filter((part) => part !== "" && part !== ".")
    .reverse();
}

/** The link's target; "" for what is not a link; undefined where nothing is. */
function linkAt(path: string): string | undefined {
  try {
    const name = fsPath(path);
    const stat = lstatSync(name, { throwIfNoEntry: false });
    if (stat === undefined) return undefined;
    return stat.isSymbolicLink() ? decodeName(readlinkSync(name, "buffer")) : "";
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOTDIR" || code === "ENAMETOOLONG") return undefined;
    throw error;
  }
}

function invalid(path: string, problem: string): KilnError {
  const shown = path.length > 200 ? `${path.slice(0, 200)}...` : path;
  return new KilnError("PATH_INVALID", `cannot resolve ${JSON.stringify(shown)}: ${problem}`);
}
