// Takes out of a layer what says nothing: directories that were only passed through, files written as they were before.
import { type BigIntStats, readlinkSync, rmdirSync, unlinkSync } from "node:fs";
import { fsPath } from "../../base/index.ts";
import { loadSyscalls } from "./syscalls.ts";
import { hasSameAttributes, hasSameContents, isEqual } from "./tree-diff.ts";
import { inside, isWhiteoutStat, namesIn, pathIn, statOf } from "./tree-files.ts";
import { isOpaque } from "./whiteout.ts";

/** Where an overlay is made of, and what its marks are kept in. */
interface Overlay {
  readonly upper: string;
  /** Topmost first. */
  readonly lower: readonly string[];
  readonly userXattr: boolean;
}

/**
 * Removes from `upper`, which is not mounted, what is as in `lower`: files and links with the same owner, mode, attributes,
 * time and contents, and directories in which nothing is left and of which at most the time is another. The root stays.
 * Names of one file stay together. Behaviour: BuildKit's differ for overlayfs, which leaves the same out of layers.
 */
export function dropUnchanged(overlay: Overlay): void {
  dropBelow(overlay, "", overlay.lower);
}

/** `lower` are the directories that show something of `path`, which has not been replaced as a whole. */
function dropBelow(overlay: Overlay, path: string, lower: readonly string[]): void {
  const directory = pathIn(overlay.upper, path);
  const before = statOf(directory);
  let dropped = false;
  for (const name of namesIn(directory)) {
    const child = inside(path, name);
    const stat = statOf(pathIn(overlay.upper, child));
    if (stat !== undefined && drop(overlay, child, stat, lower)) dropped = true;
  }
  if (dropped && before) loadSyscalls().utimensat(directory, before.mtimeNs, before.mtimeNs);
}

/** True when nothing is left at `path`. */
function drop(
  overlay: Overlay,
  path: string,
  stat: BigIntStats,
  lower: readonly string[],
): boolean {
  if (isWhiteoutStat(stat) || (!stat.isDirectory() && stat.nlink > 1n)) return false;
  const own = pathIn(overlay.upper, path);
  const below = shown(overlay, path, lower);
  const [top] = below;
  const was = top === undefined ? undefined : statOf(pathIn(top, path));
  if (top === undefined || was === undefined || was.isDirectory() !== stat.isDirectory())
    return false;
  const old = pathIn(top, path);
  if (!stat.isDirectory()) {
    if (!isSameFile(old, was, own, stat)) return false;
    unlinkSync(fsPath(own));
    return true;
  }
  if (isOpaque(own, overlay.userXattr)) return false;
  dropBelow(overlay, path, below);
  if (namesIn(own).length > 0 || !hasSameAttributes(old, was, own, stat)) return false;
  rmdirSync(fsPath(own));
  return true;
}

/** The layers that `path` is seen through, down to the one that hides what is below it. */
function shown({ userXattr }: Overlay, path: string, lower: readonly string[]): string[] {
  const found: string[] = [];
  for (const layer of lower) {
    const at = pathIn(layer, path);
    const stat = statOf(at);
    if (stat === undefined) continue;
    if (!stat.isDirectory()) return found.length === 0 && !isWhiteoutStat(stat) ? [layer] : found;
    found.push(layer);
    if (isOpaque(at, userXattr)) break;
  }
  return found;
}

function isSameFile(old: string, was: BigIntStats, own: string, stat: BigIntStats): boolean {
  if (was.size !== stat.size || was.mtimeNs !== stat.mtimeNs) return false;
  if (!hasSameAttributes(old, was, own, stat)) return false;
  if (stat.isSymbolicLink())
    return isEqual(readlinkSync(fsPath(old), "buffer"), readlinkSync(fsPath(own), "buffer"));
  return !stat.isFile() || hasSameContents(old, own);
}
