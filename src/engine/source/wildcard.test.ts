// Wildcards match as Go's path/filepath.Match does.
import { expect, test } from "vitest";
import { compileWildcard, hasWildcard } from "./wildcard.ts";

function check(pattern: string, path: string, expected: boolean): void {
  test(`${pattern} ${expected ? "matches" : "does not match"} ${path}`, () => {
    expect(compileWildcard(pattern)(path)).toBe(expected);
  });
}

check("abc", "abc", true);
check("*", "abc", true);
check("*c", "abc", true);
check("a*", "a", true);
check("a*", "ab/c", false);
check("a*/b", "abc/b", true);
check("a*/b", "a/c/b", false);
check("a*b*c*d*e*/f", "axbxcxdxe/f", true);
check("a*b*c*d*e*/f", "axbxcxdxexxx/fff", false);
check("ab[c]", "abc", true);
check("ab[b-d]", "abc", true);
check("ab[e-g]", "abc", false);
check("ab[^c]", "abc", false);
check("ab[^e-g]", "abc", true);
check("a\\*b", "a*b", true);
check("a\\*b", "ab", false);
check("a?b", "a☺b", true);
check("a[^a]b", "a☺b", true);
check("a[^a][^a][^a]b", "a☺b", false);
check("[a-ζ]*", "α", true);
check("a?b", "a/b", false);
check("a*b", "a/b", false);
check("[\\]a]", "]", true);
check("[\\-x]", "x", true);
check("[]a]", "]", false);
check("[-]", "-", false);
check("[x-]", "x", false);
check("[", "a", false);
check("[^", "a", false);
check("a[", "a", false);
check("a\\", "a", false);
check("*x", "xxx", true);
check("package*.json", "package-lock.json", true);
check("a.c", "abc", false);
check("[a/b]", "/", false);

test("a pattern of many stars takes no time to fail", () => {
  const started = performance.now();
  expect(compileWildcard(`${"*a".repeat(500)}b`)("a".repeat(5000))).toBe(false);
  expect(performance.now() - started).toBeLessThan(500);
});

test("plain names have no wildcards", () => {
  expect(["a.b", "a*", "a?", "a[b]", "a\\b"].map(hasWildcard)).toEqual([
    false,
    true,
    true,
    true,
    true,
  ]);
});
