// .dockerignore lists, filters and wildcards on cases that people write.
import { describe, expect, it } from "vitest";
import {
  cleanPath,
  compilePatterns,
  createPathFilter,
  matchGlob,
  readIgnoreFile,
} from "./index.ts";

function excluded(patterns: readonly string[], path: string): boolean {
  return compilePatterns(patterns).matchesOrParent(path);
}

describe("a .dockerignore list", () => {
  it.each([
    [["node_modules"], "node_modules/a/b.js", true],
    [["node_modules"], "sub/node_modules/a.js", false],
    [["**/node_modules"], "sub/node_modules/a.js", true],
    [["**/node_modules"], "node_modules", true],
    [["*.md"], "README.md", true],
    [["*.md"], "docs/README.md", false],
    [["*.md", "!README.md"], "README.md", false],
    [["!README.md", "*.md"], "README.md", true],
    [["docs", "!docs/keep"], "docs/keep/a", false],
    [["docs", "!docs/keep"], "docs/other", true],
    [["a?c"], "abc", true],
    [["a?c"], "a/c", false],
    [["**"], "anything/at/all", true],
    [["/rooted"], "rooted", false],
    [["./here"], "here", true],
    [["dir/"], "dir/file", true],
    [["[a-c]*.txt"], "bar.txt", true],
    [["[^a-c]*.txt"], "bar.txt", false],
    [["[[:digit:]]*"], "2nd", true],
    [["a\\*b"], "a*b", true],
    [["a\\*b"], "axb", false],
  ] as const)("%j excludes %s: %s", (patterns, path, answer) => {
    expect(excluded(patterns, path)).toBe(answer);
  });

  it("takes a star in brackets for what the reference makes of it", () => {
    expect(excluded(["[*]"], "*")).toBe(false);
    expect(excluded(["[*]"], "/]")).toBe(true);
  });

  it("says when it has exceptions", () => {
    expect(compilePatterns(["a", "!b"]).hasExceptions).toBe(true);
    expect(compilePatterns(["a"]).hasExceptions).toBe(false);
  });
});

describe("a .dockerignore file", () => {
  it("is read without comments, empty lines, leading slashes and a byte order mark", () => {
    const text = "\ufeff# comment\n\n /a/ \r\n!/b/../c\n  # not a comment\n!\n";
    const patterns = readIgnoreFile(new TextEncoder().encode(text));
    expect(patterns).toEqual(["a", "!c", "# not a comment", "!"]);
  });
});

describe("a filter", () => {
  it("prunes what is excluded as a whole, and looks into what may hold an exception", () => {
    const filter = createPathFilter([], ["a", "b", "!b/keep/**"]);
    expect(filter.decide("a", true)).toBe("no");
    expect(filter.decide("b", true)).toBe("inside");
    expect(filter.decide("b/other", true)).toBe("no");
    expect(filter.decide("b/keep/x", false)).toBe("yes");
    expect(filter.decide("c", false)).toBe("yes");
  });

  it("looks only where an include pattern leads", () => {
    const filter = createPathFilter(["src/lib/*.ts", "docs"], []);
    expect(filter.decide("src", true)).toBe("inside");
    expect(filter.decide("src/app", true)).toBe("no");
    expect(filter.decide("src/lib/a.ts", false)).toBe("yes");
    expect(filter.decide("docs", true)).toBe("yes");
    expect(filter.decide("docs/a/b", false)).toBe("yes");
    expect(filter.decide("other", false)).toBe("no");
  });

  it("answers alike whatever it was asked before", () => {
    const filter = createPathFilter([], ["a/*", "!a/b"]);
    expect(filter.decide("a/b/c/d", false)).toBe("yes");
    expect(filter.decide("a/x/c", false)).toBe("no");
    expect(filter.decide("a", true)).toBe("yes");
  });
});

describe("a wildcard", () => {
  it.each([
    ["*", "abc", true],
    ["*", "a/b", false],
    ["a*c*e", "abcde", true],
    ["a*c*e", "abcd", false],
    ["*/b", "a/b", true],
    ["a[b-d]?", "acx", true],
    ["a[^b]", "ab", false],
    ["\\[a]", "[a]", true],
    ["[*]", "*", true],
    ["é?", "éü", true],
    ["", "", true],
    ["", "a", false],
    ["[", "[", false],
  ] as const)("%s matches %s: %s", (pattern, name, answer) => {
    expect(matchGlob(pattern, name)).toBe(answer);
  });
});

describe("a path", () => {
  it.each([
    ["", "."],
    ["a//b/./c/..", "a/b"],
    ["/../a", "/a"],
    ["../a/..", ".."],
    ["a/", "a"],
    ["/", "/"],
  ] as const)("%s is cleaned to %s", (path, cleaned) => {
    expect(cleanPath(path)).toBe(cleaned);
  });
});
