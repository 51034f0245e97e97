// Differences of images as people read them.
import { expect, it } from "vitest";
import { createStyle } from "../../report/index.ts";
import type { PlatformDiff } from "./image-diff.ts";
import { diffText } from "./image-diff-text.ts";

const id = (letter: string) => `sha256:${letter.repeat(64)}`;
const style = createStyle(false);
const names = ["app:1", "app:2"] as const;

function platformDiff(platform: string, more: Partial<PlatformDiff> = {}): PlatformDiff {
  return {
    platform,
    digests: [id("1"), id("2")],
    config: [],
    layers: { same: 1, before: [id("a")], after: [id("a")], repacked: false },
    files: [],
    ...more,
  };
}

const text = (...diffs: readonly PlatformDiff[]) => diffText(names, diffs, style, 2);

it("platforms that differ in the same way are told of together", () => {
  const change = {
    config: [
      { name: "config.Env.A", before: "1", after: "2" },
      { name: "config.ExposedPorts.80/tcp", before: undefined, after: "{}" },
    ],
    files: [
      { path: "a", kind: "added", what: ["2 bytes"], layers: [undefined, 1] },
      { path: "b\n", kind: "removed", what: [], layers: [1, undefined] },
      { path: "c", kind: "changed", what: ["mode 0644 → 0755"], layers: [1, 1] },
    ],
  } satisfies Partial<PlatformDiff>;
  expect(
    text(
      platformDiff("linux/amd64", change),
      platformDiff("linux/arm64", change),
      platformDiff("linux/s390x", { digests: [undefined, id("2")] }),
      platformDiff("linux/386"),
    ),
  ).toBe(`- app:1
+ app:2

linux/amd64, linux/arm64
  config
    ~ config.Env.A "1" → "2"
    + config.ExposedPorts.80/tcp
  files
    + /a  2 bytes
    - /b\\n
    and 1 more (--all shows them)

linux/s390x  only in the second ${id("2")}

linux/386
  only descriptors or annotations differ
`);
});

it("layers that are the same are counted, at the beginning and at the end", () => {
  const layers = (before: string, after: string, same: number) =>
    text(
      platformDiff("linux/amd64", {
        layers: { same, before: [...before].map(id), after: [...after].map(id), repacked: false },
      }),
    )
      .split("\n")
      .slice(5, -1)
      .map((line) => line.trim());
  expect(layers("abcd", "abxd", 2)).toEqual([
    "= 1 to 2 are the same",
    "- 3 sha256:cccccccccccc",
    "+ 3 sha256:xxxxxxxxxxxx",
    "= 4 is the same",
  ]);
  expect(layers("abc", "axyzbc", 1)).toEqual([
    "= 1 is the same",
    "+ 2 sha256:xxxxxxxxxxxx",
    "+ 3 sha256:yyyyyyyyyyyy",
    "+ 4 sha256:zzzzzzzzzzzz",
    "= 2 to 3 are the same, now 5 to 6",
  ]);
  expect(layers("ab", "a", 1)).toEqual(["= 1 is the same", "- 2 sha256:bbbbbbbbbbbb"]);
});

it("images without a difference are the same", () => {
  expect(text()).toBe("same image: app:1 and app:2\n");
});
