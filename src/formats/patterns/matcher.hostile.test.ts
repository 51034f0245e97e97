// Patterns and paths made to hurt: bounded time, and a clear error for what is refused.
import { describe, expect, it } from "vitest";
import { matchGlob } from "./glob.ts";
import { readIgnoreFile } from "./ignore-file.ts";
import { compilePatterns, MAX_PATTERN_LENGTH, MAX_PATTERNS } from "./matcher.ts";

function within<Value>(limit: number, work: () => Value): Value {
  const start = performance.now();
  const value = work();
  expect(performance.now() - start).toBeLessThan(limit);
  return value;
}

describe("patterns that explode", () => {
  const component = "a".repeat(255);
  const path = Array.from({ length: 16 }, () => component).join("/");

  it.each([
    ["many stars in one name", `${"*a".repeat(100)}b`],
    ["many double stars", `${"**/a*".repeat(100)}b`],
    ["double stars in a row", `${"**/".repeat(10_000)}b`],
    ["stars in every component", `${"*a*a*a*b/".repeat(16)}b`],
    ["stars in brackets", `${"[*]".repeat(200)}b`],
  ])("%s", (_, pattern) => {
    const matcher = compilePatterns([pattern, `x${pattern}`]);
    expect(within(2000, () => matcher.matchesOrParent(path))).toBe(false);
    expect(within(2000, () => matchGlob(pattern, path))).toBe(false);
  });

  it("are refused when one is too long", () => {
    const pattern = "*a".repeat(MAX_PATTERN_LENGTH);
    expect(() => within(1000, () => compilePatterns([pattern]))).toThrow(/longer than/);
  });

  it("are refused when there are too many", () => {
    const lines = Array.from({ length: MAX_PATTERNS + 1 }, () => "a");
    expect(() => within(1000, () => compilePatterns(lines))).toThrow(/more than/);
  });

  it("are read from a large file within seconds", () => {
    const data = new TextEncoder().encode("a/../b*\n".repeat(500_000));
    expect(within(4000, () => readIgnoreFile(data))).toHaveLength(500_000);
  });
});

describe("broken patterns", () => {
  it.each(["[", "[]", "a[", "[^", "[a-]", "a\\", "[-]", "!"])("%s is refused", (pattern) => {
    expect(() => compilePatterns([pattern])).toThrow(
      expect.objectContaining({ code: "PATTERN_INVALID" }),
    );
    if (pattern !== "!") expect(matchGlob(pattern, "a")).toBe(false);
  });

  it("a deep path is matched without recursion limits", () => {
    const path = `${"a/".repeat(3000)}b`;
    expect(within(2000, () => compilePatterns(["**/b"]).matchesOrParent(path))).toBe(true);
  });
});
