// Which paths of a tree are wanted, by include and exclude patterns: the walk's question, answered directory by directory.
import { compilePatterns, type MatchState, type PatternMatcher } from "./matcher.ts";

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
 * a path when it matches one of its parents, as fsutil's filter does. Throws `PATTERN_INVALID`.
 */
export function createPathFilter(
  include: readonly string[],
  exclude: readonly string[],
): PathFilter {
  const included = include.length > 0 ? new Walk(compilePatterns(include)) : undefined;
  const excluded = exclude.length > 0 ? new Walk(compilePatterns(exclude)) : undefined;
  return {
    decide(path, directory) {
      const isIncluded = included?.matches(path) ?? true;
      const isExcluded = excluded?.matches(path) ?? false;
      if (isIncluded && !isExcluded) return "yes";
      if (!directory) return "no";
      if (!isIncluded && included?.matcher.mayMatchBelow(path) === false) return "no";
      return isExcluded && excluded?.matcher.mayExceptBelow(path) === false ? "no" : "inside";
    },
  };
}

/** Directories whose answer is remembered; more are worked out again. */
const MAX_REMEMBERED = 50_000;

/** A matcher that remembers what it said of directories. */
class Walk {
  readonly matcher: PatternMatcher;
  readonly #states = new Map<string, MatchState>();

  constructor(matcher: PatternMatcher) {
    this.matcher = matcher;
  }

  matches(path: string): boolean {
    return this.matcher.matchesBelow(path, this.#parent(path)).matched;
  }

  #parent(path: string): MatchState | undefined {
    const slash = path.lastIndexOf("/");
    if (slash === -1) return undefined;
    const directory = path.slice(0, slash);
    const known = this.#states.get(directory);
    if (known) return known;
    const state = this.matcher.matchesBelow(directory, this.#parent(directory));
    if (this.#states.size >= MAX_REMEMBERED) this.#states.clear();
    this.#states.set(directory, state);
    return state;
  }
}
