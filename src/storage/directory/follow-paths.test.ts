// Followed paths bring along what their symbolic links lead to, as if the directory were the root.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { followPaths } from "./follow-paths.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "kiln-follow-"));
  mkdirSync(join(root, "dir/sub"), { recursive: true });
  writeFileSync(join(root, "dir/sub/file"), "");
  writeFileSync(join(root, "file"), "");
  symlinkSync("dir", join(root, "link"));
  symlinkSync("/dir/sub", join(root, "absolute"));
  symlinkSync("../../../file", join(root, "dir/outwards"));
  symlinkSync("loop-b", join(root, "loop-a"));
  symlinkSync("loop-a", join(root, "loop-b"));
  symlinkSync("self/x", join(root, "self"));
  symlinkSync("link/sub", join(root, "chain"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function check(paths: readonly string[], expected: readonly string[] | undefined): void {
  test(`${paths.join(" ")} becomes ${expected?.join(" ") ?? "everything"}`, () => {
    expect(followPaths(root, paths)).toEqual(expected);
  });
}

check(["file"], ["file"]);
check(["/file", "./file"], ["file"]);
check(["none"], ["none"]);
check(["none/deeper"], ["none/deeper"]);
check(["link"], ["dir", "link"]);
check(["link/sub/file"], ["dir/sub/file", "link"]);
check(["absolute/file"], ["absolute", "dir/sub/file"]);
check(["dir/outwards"], ["dir/outwards", "file"]);
check(["chain/file"], ["chain", "dir/sub/file", "link"]);
check(["li*"], ["dir", "li*"]);
check(["d*/sub"], ["d*/sub"]);
check(["loop-a"], ["loop-a", "loop-b"]);
check(["self"], ["self"]);
check(["dir", "dir/sub/file"], ["dir"]);
check(["."], undefined);
check(["/"], undefined);
check(["file", "../.."], undefined);
