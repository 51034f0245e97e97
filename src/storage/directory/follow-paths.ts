// Followed paths: what must be sent along so that the symbolic links on the way to a wanted path lead somewhere.
import { lstatSync, readdirSync, readlinkSync } from "node:fs";
import { posix } from "node:path";
import { matchGlob } from "../../formats/patterns/index.ts";

/**
 * Include patterns for `paths` (which may have wildcards) and for every symbolic link on the way to them, resolved as if
 * `directory` were the root (fsutil FollowLinks). Undefined when one of them is the whole directory.
 */
export function followPaths(
  directory: string,
  paths: readonly string[],
): readonly string[] | undefined {
  const found = new Set<string>();
  // Every path is followed once, so links that lead in a circle end the search by themselves.
  const queue = paths.map(cleanPath);
  const seen = new Set(queue);
  for (const path of queue) {
    for (const target of followOne(directory, path, found)) {
      if (seen.has(target) || target.length > maxPath) continue;
      seen.add(target);
      queue.push(target);
    }
  }
  if (found.has(".")) return undefined;
  const parentIsFound = (path: string) => {
    for (let cut = path.lastIndexOf("/"); cut > 0; cut = path.lastIndexOf("/", cut - 1)) {
      if (found.has(path.slice(0, cut))) return true;
    }
    return false;
  };
  // What lies in a directory that is taken whole needs no pattern of its own.
  return [...found].filter((path) => !parentIsFound(path)).sort();
}

/** Linux opens no longer path. A link that leads through itself makes its path longer each time, up to here. */
const maxPath = 4096;

/** Walks down `path` to its end or its first links, which are taken note of; answers where those lead. */
function followOne(directory: string, path: string, found: Set<string>): readonly string[] {
  const parts = path.split("/");
  for (let i = 0; i < parts.length; i++) {
    const current = parts.slice(0, i + 1).join("/");
    const targets = linkTargets(directory, current);
    if (targets.length === 0) continue;
    found.add(current);
    const rest = parts.slice(i + 1);
    return targets.map((target) => cleanPath([target, ...rest].join("/")));
  }
  found.add(path);
  return [];
}

/** Where the links lead that `path` is or, with wildcards in its last component, matches. */
function linkTargets(directory: string, path: string): readonly string[] {
  const parent = posix.dirname(path);
  const name = posix.basename(path);
  if (!/[*?[\\]/.test(name)) {
    const target = linkTarget(directory, path);
    return target === undefined ? [] : [target];
  }
  return namesIn(`${directory}/${parent}`)
    .filter((one) => matchGlob(name, one))
    .map((one) => linkTarget(directory, posix.join(parent, one)))
    .filter((target) => target !== undefined);
}

function linkTarget(directory: string, path: string): string | undefined {
  const full = `${directory}/${path}`;
  if (!lstatOrNone(full)?.isSymbolicLink()) return undefined;
  const link = readlinkSync(full);
  return link.startsWith("/") ? link : posix.join("/", posix.dirname(path), link);
}

function lstatOrNone(path: string) {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "ENOENT" || code === "ENOTDIR";
}

/** Relative, without dots, inside the root whatever it says. The root itself is `.`. */
function cleanPath(path: string): string {
  return posix.normalize(`/${path}`).replace(/^\/|\/$/g, "") || ".";
}
