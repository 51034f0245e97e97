// Lists of patterns as .dockerignore has them: the last one that matches decides, `!` takes back (moby/patternmatcher).
import { globExpression } from "./glob.ts";

export interface PatternMatcher {
  /** True when a pattern begins with `!`. */
  readonly hasExceptions: boolean;
  /** Whether the path itself or one of its parent directories is matched. */
  matchesOrParent(path: string): boolean;
  /** False only when no path below the directory `path` can match. */
  mayMatchBelow(path: string): boolean;
}

interface Pattern {
  readonly exception: boolean;
  readonly expression: RegExp;
  /** Components before the first wildcard. */
  readonly fixed: readonly string[];
  readonly complete: boolean;
}

/** Compiles once for many paths. Throws `PATTERN_INVALID` for what Go's filepath.Match refuses. */
export function compilePatterns(patterns: readonly string[]): PatternMatcher {
  const compiled = patterns.map(compile).filter((one): one is Pattern => one !== undefined);
  return {
    hasExceptions: compiled.some((one) => one.exception),
    matchesOrParent(path) {
      const parents = prefixesOf(path);
      let matched = false;
      for (const { exception, expression } of compiled) {
        // An exception only matters once something matched, anything else only while nothing did.
        if (exception !== matched) continue;
        if (parents.some((one) => expression.test(one))) matched = !exception;
      }
      return matched;
    },
    mayMatchBelow(path) {
      const parts = path.split("/");
      return compiled.some(({ exception, fixed, complete }) => {
        if (exception) return false;
        const common = Math.min(parts.length, fixed.length);
        const agrees = parts.slice(0, common).every((part, index) => part === fixed[index]);
        return agrees && (!complete || fixed.length > parts.length);
      });
    },
  };
}

function compile(line: string): Pattern | undefined {
  const trimmed = line.trim();
  if (trimmed === "") return undefined;
  const exception = trimmed.startsWith("!");
  const cleaned = cleanPath(exception ? trimmed.slice(1) : trimmed);
  const parts = cleaned.split("/");
  const wild = parts.findIndex((part) => /[*?[\\]/.test(part));
  return {
    exception,
    expression: globExpression(cleaned, true),
    fixed: wild === -1 ? parts : parts.slice(0, wild),
    complete: wild === -1,
  };
}

function cleanPath(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === ".." && parts.length > 0 && parts.at(-1) !== "..") parts.pop();
    else parts.push(part);
  }
  return parts.join("/") || ".";
}

/** `a/b/c` → `a/b/c`, `a`, `a/b`. */
function prefixesOf(path: string): string[] {
  const prefixes = [path];
  for (let at = path.indexOf("/"); at !== -1; at = path.indexOf("/", at + 1)) {
    prefixes.push(path.slice(0, at));
  }
  return prefixes;
}
