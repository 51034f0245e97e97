// Why a path is not in a host tree: left out by a pattern, misspelt, or not there at all.
import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { closest } from "../../../base/index.ts";
import { compilePatterns } from "../../../formats/patterns/index.ts";
import type { HostTree } from "../../../storage/snapshot/index.ts";

/** Words for an error: what is known of the missing path, and what to do about it. */
export interface Absence {
  readonly why: string;
  readonly hint?: string;
}

/** A directory of more names than this is not searched for a near one. */
const neighbourLimit = 5000;

/** Looks at the directory itself, so only for messages: what is found there stays out of the build. */
export function explainAbsence(tree: HostTree, path: string): Absence {
  const relative = path.replace(/^\/+|\/+$/g, "");
  const pattern = excludingPattern(tree.excluded ?? [], relative);
  if (tree.contents !== undefined) return explainUnseen(tree, pattern, relative);
  if (pattern !== undefined && isThere(join(tree.directory, relative))) {
    return {
      why: `${placeOf(tree.directory, pattern)} leaves it out of the build context`,
      hint: `Remove the pattern, or add "!${relative}" below it.`,
    };
  }
  const near = closest(relative, neighboursOf(tree, relative));
  return {
    why: "not found in the build context",
    ...(near === undefined ? {} : { hint: `Did you mean ${near}?` }),
  };
}

/** Of a directory on another machine only the list is known. */
function explainUnseen(tree: HostTree, pattern: string | undefined, relative: string): Absence {
  if (pattern !== undefined) {
    return {
      why: `not found in the build context; the ignore pattern ${JSON.stringify(pattern)} would leave it out`,
      hint: `Remove the pattern, or add "!${relative}" below it.`,
    };
  }
  const paths = tree.entries.slice(0, neighbourLimit).map((entry) => entry.path);
  const near = closest(relative, paths);
  return {
    why: "not found in the build context",
    ...(near === undefined ? {} : { hint: `Did you mean ${near}?` }),
  };
}

/** The last pattern that leaves the path out, as patterns are weighed. */
function excludingPattern(patterns: readonly string[], path: string): string | undefined {
  if (patterns.length === 0 || !compilePatterns(patterns).matchesOrParent(path)) return undefined;
  const excluding = patterns.filter((one) => !one.startsWith("!"));
  return excluding.findLast((one) => compilePatterns([one]).matchesOrParent(path));
}

function placeOf(directory: string, pattern: string): string {
  const quoted = JSON.stringify(pattern);
  const line = linesOf(join(directory, ".dockerignore")).findIndex((one) => sameAs(one, pattern));
  return line === -1
    ? `the ignore pattern ${quoted}`
    : `.dockerignore line ${line + 1} (${quoted})`;
}

/** Patterns are cleaned when they are read: `/dist/` is `dist`. */
function sameAs(line: string, pattern: string): boolean {
  return line.trim().replace(/^\.?\/+|\/+$/g, "") === pattern;
}

function linesOf(path: string): readonly string[] {
  try {
    return lstatSync(path).isFile() ? readFileSync(path, "utf8").split("\n") : [];
  } catch {
    return [];
  }
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** Only what copies ask for is in a tree, so a misspelt name's neighbours are looked up in the directory. */
function neighboursOf(tree: HostTree, path: string): readonly string[] {
  const parent = posix.dirname(path) === "." ? "" : `${posix.dirname(path)}/`;
  try {
    const names = readdirSync(join(tree.directory, parent)).map((name) => parent + name);
    const excluded = compilePatterns(tree.excluded ?? []);
    return names.slice(0, neighbourLimit).filter((one) => !excluded.matchesOrParent(one));
  } catch {
    return [];
  }
}
