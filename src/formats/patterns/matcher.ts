// Lists of patterns as .dockerignore has them: the last one that matches decides, `!` takes back (moby/patternmatcher).
import { KilnError } from "../../base/index.ts";
import { cleanPath, directoryOf } from "./clean-path.ts";
import { compilePieces } from "./compare.ts";
import { isValidGlob } from "./glob.ts";
import { type Piece, readComparison } from "./pieces.ts";

/** Which patterns of a list match a directory or one of its parents, as a walk hands it down. */
export interface MatchState {
  readonly matched: boolean;
  /** Numbers of the patterns that were found to match, ascending. */
  readonly patterns: readonly number[];
}

/** A compiled list. Paths have forward slashes. */
export interface PatternMatcher {
  /** True when a pattern begins with `!`. */
  readonly hasExceptions: boolean;
  /** Whether the path itself or one of its parent directories is matched. */
  matchesOrParent(path: string): boolean;
  /** What a walk finds, which hands each directory's answer to what is in it (MatchesUsingParentResults). */
  matchesBelow(path: string, parent: MatchState | undefined): MatchState;
  /** The reference's older rule, which looks at one parent only (Matches). */
  matchesOld(path: string): boolean;
  /** False only when no pattern without `!` can match a path below the directory `path`. */
  mayMatchBelow(path: string): boolean;
  /** False only when no pattern with `!` can match a path below the directory `path`. */
  mayExceptBelow(path: string): boolean;
}

interface Pattern {
  readonly index: number;
  readonly exception: boolean;
  /** Number of components. */
  readonly depth: number;
  /** What every match begins and ends with. */
  readonly head: string;
  readonly tail: string;
  readonly exact: boolean;
  readonly test: (path: string) => boolean;
}

/** Patterns of one list, and code units of one pattern: the reference reads no longer lines. */
export const MAX_PATTERNS = 100_000;
export const MAX_PATTERN_LENGTH = 65_535;

/** Directories whose answer is remembered; more are worked out again. */
const MAX_REMEMBERED = 50_000;

/** Compiles once for many paths. Throws `PATTERN_INVALID` for what Go's filepath.Match refuses. */
export function compilePatterns(lines: readonly string[]): PatternMatcher {
  const patterns: Pattern[] = [];
  if (lines.length > MAX_PATTERNS) {
    throw new KilnError(
      "PATTERN_INVALID",
      `${lines.length} patterns, more than the ${MAX_PATTERNS} that are read`,
    );
  }
  for (const line of lines) {
    const pattern = compile(line, patterns.length);
    if (pattern) patterns.push(pattern);
  }
  const table = new PatternTable(patterns);
  const remembered = new Map<string, number>();
  const latestOf = (directory: string): number => {
    const known = remembered.get(directory);
    if (known !== undefined) return known;
    const slash = directory.lastIndexOf("/");
    const above = slash === -1 ? -1 : latestOf(directory.slice(0, slash));
    const latest = Math.max(above, table.latest(directory));
    if (remembered.size >= MAX_REMEMBERED) remembered.clear();
    remembered.set(directory, latest);
    return latest;
  };
  const isMatched = (index: number) => index !== -1 && patterns[index]?.exception === false;
  return {
    hasExceptions: patterns.some((pattern) => pattern.exception),
    matchesOrParent(path) {
      const directory = directoryOf(path);
      const above = directory === "." ? -1 : latestOf(directory);
      return isMatched(Math.max(above, table.latest(path)));
    },
    matchesBelow: (path, parent) => matchBelow(patterns, table.all(path), parent),
    matchesOld: (path) => isMatched(latestOld(patterns, path)),
    mayMatchBelow: (path) => patterns.some((one) => !one.exception && mayReachBelow(one, path)),
    mayExceptBelow: (path) => patterns.some((one) => one.exception && mayReachBelow(one, path)),
  };
}

function compile(line: string, index: number): Pattern | undefined {
  const trimmed = line.trim();
  if (trimmed === "") return undefined;
  const cleaned = cleanPath(trimmed);
  const exception = cleaned.startsWith("!");
  const pattern = exception ? cleaned.slice(1) : cleaned;
  if (pattern === "") {
    throw new KilnError("PATTERN_INVALID", 'illegal exclusion pattern: "!"', {
      hint: "Write a pattern after the exclamation mark, or remove the line.",
    });
  }
  if (pattern.length > MAX_PATTERN_LENGTH) {
    throw new KilnError(
      "PATTERN_INVALID",
      `pattern ${pattern.slice(0, 100)}... is longer than ${MAX_PATTERN_LENGTH}`,
    );
  }
  if (!isValidGlob(pattern)) {
    throw new KilnError("PATTERN_INVALID", `syntax error in pattern ${pattern}`, {
      hint: "Close every bracket, and write a backslash before a bracket that is part of a name.",
    });
  }
  return { index, exception, depth: pattern.split("/").length, ...comparisonOf(pattern) };
}

function comparisonOf(pattern: string): Pick<Pattern, "head" | "tail" | "exact" | "test"> {
  const compared = readComparison(pattern);
  if (compared.type === "pieces") {
    const { pieces } = compared;
    const head = literalRun(pieces);
    const tail = literalRun(pieces.toReversed(), true);
    return { head, tail, exact: false, test: compilePieces(pieces) };
  }
  const { text } = compared;
  if (compared.type === "exact")
    return { head: text, tail: text, exact: true, test: (path) => path === text };
  if (compared.type === "prefix")
    return { head: text, tail: "", exact: false, test: (path) => path.startsWith(text) };
  const whole = text.startsWith("/") ? text.slice(1) : undefined;
  const tail = whole ?? text;
  return { head: "", tail, exact: false, test: (path) => path.endsWith(text) || path === whole };
}

function literalRun(pieces: readonly Piece[], reversed = false): string {
  const chars: string[] = [];
  for (const piece of pieces) {
    if (piece.type !== "char") break;
    chars.push(piece.char);
  }
  return (reversed ? chars.reverse() : chars).join("");
}

/** Finds the patterns that match a path, asking only those that begin or end as it does. */
class PatternTable {
  readonly #exact = new Map<string, number[]>();
  readonly #byTail = new Map<number, Pattern[]>();
  readonly #byHead = new Map<number, Pattern[]>();
  readonly #others: Pattern[] = [];

  constructor(patterns: readonly Pattern[]) {
    for (const pattern of patterns) {
      if (pattern.exact) addTo(this.#exact, pattern.head, pattern.index);
      else if (pattern.tail !== "") addTo(this.#byTail, lastUnit(pattern.tail), pattern);
      else if (pattern.head !== "") addTo(this.#byHead, pattern.head.charCodeAt(0), pattern);
      else this.#others.push(pattern);
    }
  }

  /** Ascending numbers of the patterns that match `path` itself. */
  all(path: string): readonly number[] {
    const found = [...(this.#exact.get(path) ?? [])];
    for (const list of this.#lists(path)) {
      for (const pattern of list ?? []) if (accepts(pattern, path)) found.push(pattern.index);
    }
    return found.length > 1 ? found.sort((a, b) => a - b) : found;
  }

  /** The highest of these numbers, -1 where there is none. */
  latest(path: string): number {
    let latest = this.#exact.get(path)?.at(-1) ?? -1;
    for (const list of this.#lists(path)) {
      if (list === undefined) continue;
      // From the end: the first that matches is the highest.
      for (let at = list.length - 1; at >= 0; at--) {
        const pattern = list[at];
        if (pattern === undefined || pattern.index <= latest) break;
        if (accepts(pattern, path)) latest = pattern.index;
      }
    }
    return latest;
  }

  #lists(path: string): readonly (readonly Pattern[] | undefined)[] {
    if (path === "") return [this.#others];
    const tail = this.#byTail.get(lastUnit(path));
    return [tail, this.#byHead.get(path.charCodeAt(0)), this.#others];
  }
}

function addTo<Key, Value>(map: Map<Key, Value[]>, key: Key, value: Value): void {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}

function lastUnit(text: string): number {
  return text.charCodeAt(text.length - 1);
}

function accepts(pattern: Pattern, path: string): boolean {
  return path.endsWith(pattern.tail) && path.startsWith(pattern.head) && pattern.test(path);
}

/** Goes through own and inherited matches in order; what cannot change the answer counts as not matching. */
function matchBelow(
  patterns: readonly Pattern[],
  own: readonly number[],
  parent: MatchState | undefined,
): MatchState {
  const inherited = parent?.patterns ?? [];
  const found: number[] = [];
  let matched = false;
  for (let a = 0, b = 0; a < own.length || b < inherited.length; ) {
    const mine = own[a] ?? Number.POSITIVE_INFINITY;
    const theirs = inherited[b] ?? Number.POSITIVE_INFINITY;
    const index = Math.min(mine, theirs);
    if (mine === index) a++;
    if (theirs === index) b++;
    const exception = patterns[index]?.exception === true;
    if (theirs !== index && exception !== matched) continue;
    found.push(index);
    matched = !exception;
  }
  return { matched, patterns: found };
}

/** For each pattern one parent is looked at: the one with as many components as the pattern. */
function latestOld(patterns: readonly Pattern[], path: string): number {
  const directory = directoryOf(path);
  const parents = directory === "." ? [] : directory.split("/");
  const latest = patterns.findLast((pattern) => {
    if (pattern.test(path)) return true;
    return (
      pattern.depth <= parents.length && pattern.test(parents.slice(0, pattern.depth).join("/"))
    );
  });
  return latest?.index ?? -1;
}

function mayReachBelow(pattern: Pattern, path: string): boolean {
  const inside = `${path}/`;
  return pattern.head.startsWith(inside) || (!pattern.exact && inside.startsWith(pattern.head));
}
