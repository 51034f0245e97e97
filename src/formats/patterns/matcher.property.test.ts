// The fast matcher against a slow one that says the same in the plainest words.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cleanPath } from "./clean-path.ts";
import { compilePieces, runPieces } from "./compare.ts";
import { isValidGlob } from "./glob.ts";
import { compilePatterns, type MatchState } from "./matcher.ts";
import { createPathFilter } from "./path-filter.ts";
import { readComparison } from "./pieces.ts";

const names = fc.constantFrom("a", "b", "ab", "a.b", "x-1", "é");
const paths = fc.array(names, { minLength: 1, maxLength: 5 }).map((parts) => parts.join("/"));
const piece = fc.constantFrom(
  "a",
  "b",
  "ab",
  ".",
  "*",
  "**",
  "?",
  "[ab]",
  "[^a]",
  "[*]",
  "\\*",
  "/",
  "/",
  "-",
  "x",
  "\\b",
  "^",
  "é",
);
const pattern = fc
  .array(piece, { minLength: 1, maxLength: 6 })
  .map((parts) =>
    parts
      .join("")
      .replace(/\/+/g, "/")
      .replace(/^\/|\/$/g, ""),
  )
  .filter(
    (text) =>
      text !== "" &&
      cleanPath(`!${text}`) === `!${text}` &&
      cleanPath(text) === text &&
      isValidGlob(text),
  );
const lines = fc.array(
  fc.tuple(fc.boolean(), pattern).map(([exception, text]) => (exception ? `!${text}` : text)),
  { maxLength: 6 },
);

function slowTest(text: string): (path: string) => boolean {
  const compared = readComparison(text);
  if (compared.type === "exact") return (path) => path === compared.text;
  if (compared.type === "prefix") return (path) => path.startsWith(compared.text);
  if (compared.type === "pieces") return (path) => runPieces(compared.pieces, path);
  return (path) => path.endsWith(compared.text) || `/${path}` === compared.text;
}

function parentsOf(path: string): readonly string[] {
  const parts = path.split("/");
  return parts.slice(0, -1).map((_, at) => parts.slice(0, at + 1).join("/"));
}

describe("a pattern", () => {
  it("is matched alike by a regular expression and step by step", () => {
    fc.assert(
      fc.property(pattern, paths, (text, path) => {
        const compared = readComparison(text);
        if (compared.type !== "pieces") return;
        expect(compilePieces(compared.pieces)(path)).toBe(runPieces(compared.pieces, path));
      }),
      { numRuns: 5000 },
    );
  });
});

describe("a list of patterns", () => {
  it("is decided by the last pattern that matches the path or a parent", () => {
    fc.assert(
      fc.property(lines, fc.array(paths, { maxLength: 8 }), (list, all) => {
        const matcher = compilePatterns(list);
        for (const path of all) {
          const latest = list.findLast((line) => {
            const test = slowTest(line.replace(/^!/, ""));
            return test(path) || parentsOf(path).some(test);
          });
          expect(matcher.matchesOrParent(path)).toBe(
            latest !== undefined && !latest.startsWith("!"),
          );
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("hands down what a parent matched", () => {
    fc.assert(
      fc.property(lines, paths, (list, path) => {
        const matcher = compilePatterns(list);
        let fast: MatchState | undefined;
        let slow: readonly boolean[] = list.map(() => false);
        for (const one of [...parentsOf(path), path]) {
          fast = matcher.matchesBelow(one, fast);
          let matched = false;
          slow = list.map((line, index) => {
            const exception = line.startsWith("!");
            const inherited = slow[index] === true;
            if (!inherited && exception !== matched) return false;
            const match = inherited || slowTest(line.replace(/^!/, ""))(one);
            if (match) matched = !exception;
            return match;
          });
          expect(fast.matched).toBe(matched);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe("a filter", () => {
  it("does not leave out a directory that has something wanted in it", () => {
    fc.assert(
      fc.property(lines, lines, paths, (include, exclude, path) => {
        const filter = createPathFilter(include, exclude);
        if (filter.decide(path, false) !== "yes") return;
        for (const parent of parentsOf(path)) expect(filter.decide(parent, true)).not.toBe("no");
      }),
      { numRuns: 3000 },
    );
  });
});
