// Which paths of a tree are wanted, by include and exclude patterns: the walk's question, answered directory by directory.
import { compilePatterns, type PatternMatcher } from "./matcher.ts";

/**
 * "yes": wanted, with what the filter says of the paths below it. "no": not wanted, nor anything below it. "inside": a
 * directory that is not wanted itself, but something below it may be.
 */
export type Verdict = "yes" | "no" | "inside";

/** Paths are relative with forward slashes. Safe to ask in any order. */
export interface PathFilter {
  decide(path: string, directory: boolean): Verdict;
}

/**
 * Wanted is what an include pattern matches (everything, where there are none) and no exclude pattern does, each matching
 * a path when it matches one of its parents, as fsutil's filter does.
 */
export function createPathFilter(
  include: readonly string[],
  exclude: readonly string[],
): PathFilter {
  const included = include.length > 0 ? compilePatterns(include) : undefined;
  const excluded = exclude.length > 0 ? compilePatterns(exclude) : undefined;
  return {
    decide(path, directory) {
      if (excluded?.matchesOrParent(path)) {
        return directory && excluded.hasExceptions && mayMatchBelow(included, path)
          ? "inside"
          : "no";
      }
      if (!included || included.matchesOrParent(path)) return "yes";
      return directory && included.mayMatchBelow(path) ? "inside" : "no";
    },
  };
}

function mayMatchBelow(included: PatternMatcher | undefined, path: string): boolean {
  return !included || included.matchesOrParent(path) || included.mayMatchBelow(path);
}
