// What the system says of paths on this machine is told of the paths that the action means.
import { lstatSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { actionError } from "./action-errors.ts";

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "kiln-action-errors-"));
  writeFileSync(join(root, "file"), "");
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

function told(work: () => void, roots: readonly string[]): unknown {
  try {
    work();
  } catch (error) {
    return actionError(error, roots);
  }
  return undefined;
}

it.each<[string, () => void, string]>([
  ["a path", () => lstatSync(join(root, "file", "a")), "lstat /file/a: not a directory"],
  ["what is a directory", () => writeFileSync(root, ""), "open /: is a directory"],
  [
    "a link that cannot be made",
    () => symlinkSync("/etc", join(root, "none", "a")),
    "symlink /none/a: no such file or directory",
  ],
])("%s", (_what, work, message) => {
  expect(told(work, ["/elsewhere", root])).toMatchObject({ code: "PATH_INVALID", message });
});

it("of other places, the error stays what it is", () => {
  expect(told(() => lstatSync(join(root, "none")), ["/elsewhere", `${root}/no`])).toMatchObject({
    code: "ENOENT",
  });
});
