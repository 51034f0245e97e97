// Paths inside a view: links are followed and clamped as chroot would; wildcards name what is there.
import { expect, it } from "vitest";
import type { HostEntry, HostTree } from "../../../storage/snapshot/index.ts";
import { hostTreeContent } from "../../source/index.ts";
import { type FileView, resolveInView } from "./view.ts";
import { expandPresent, expandWildcards } from "./wildcards.ts";

const view = viewOf({
  a: undefined,
  "a/b": undefined,
  "a/b/c.txt": "file",
  "a/b/d.txt": "file",
  "a/e.md": "file",
  absolute: "-> /a/b",
  dangling: "-> nowhere/at/all",
  loop: "-> loop",
  out: "-> ../../../../a",
  relative: "-> a/../a/b",
});

it.each([
  ["/a/b/c.txt", "/a/b/c.txt"],
  ["a//b/./c.txt", "/a/b/c.txt"],
  ["/../../a/../a/b", "/a/b"],
  ["/relative/c.txt", "/a/b/c.txt"],
  ["/absolute/c.txt", "/a/b/c.txt"],
  ["/out/e.md", "/a/e.md"],
  ["/absolute", "/a/b"],
  ["/dangling/x", "/nowhere/at/all/x"],
  ["/missing/../a", "/a"],
])("%s is %s", (path, resolved) => {
  expect(resolveInView(view, path, true)).toBe(resolved);
});

it("leaves the last link alone where it is not to be followed", () => {
  expect(resolveInView(view, "/relative", false)).toBe("/relative");
  expect(resolveInView(view, "/out/b/../b", false)).toBe("/a/b");
});

it("gives up on a loop", () => {
  expect(() => resolveInView(view, "/loop/x", true)).toThrow(/too many levels of symbolic links/);
});

it.each([
  ["/a/b/*.txt", ["/a/b/c.txt", "/a/b/d.txt"]],
  ["/a/*", ["/a/b", "/a/e.md"]],
  ["/*/b/c.txt", ["/a/b/c.txt"]],
  ["/a/b/?.txt", ["/a/b/c.txt", "/a/b/d.txt"]],
  ["/a/b/[d-z].txt", ["/a/b/d.txt"]],
  ["/a/*.txt", []],
  ["/a/b/c.txt", ["/a/b/c.txt"]],
  ["/none", ["/none"]],
  ["/*/*/*", ["/a/b/c.txt", "/a/b/d.txt"]],
])("%s means %j", (pattern, paths) => {
  expect(expandWildcards(view, pattern, false)).toEqual(paths);
});

it.each(["/none/*", "/a/none/*/b", "none/?", "/a/e.md/x/*"])(
  "%s asks for a directory that is not there",
  (pattern) => {
    expect(() => expandPresent(view, pattern, true)).toThrow(
      expect.objectContaining({ code: "COPY_NOT_FOUND" }),
    );
  },
);

it.each(["/none*", "/a/*.none", "/a/*/nothing", "/a/e.md/*"])("%s may mean nothing", (pattern) => {
  expect(expandPresent(view, pattern, true)).toEqual([]);
});

/** Undefined is a directory, `-> x` a link. */
function viewOf(files: Readonly<Record<string, string | undefined>>): FileView {
  const entries = Object.entries(files).map(([path, kind]): HostEntry => {
    const link = kind?.startsWith("-> ") ? { linkname: kind.slice(3) } : {};
    const type = kind === undefined ? 0o040755 : "linkname" in link ? 0o120777 : 0o100644;
    return { path, mode: type, size: 0, mtime: 0n, ...link };
  });
  const tree: HostTree = { directory: "/nowhere", entries };
  return hostTreeContent(tree);
}
