// File actions of definitions that want out of the layer, or to wait for ever: nothing outside is touched.
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { uncancelled } from "../../../base/index.ts";
import type { CopyAction } from "../../../formats/llb/index.ts";
import { loadSyscalls } from "../../../storage/snapshot/index.ts";
import { makeDirectory, makeFile, makeSymlink, performCopy, remove } from "./actions.ts";
import { resolveOwner } from "./owner.ts";
import { directoryView } from "./view.ts";

let place: string;
let root: string;
let source: string;
let canary: string;
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), "kiln-actions-"));
  [root, source, canary] = [join(place, "root"), join(place, "source"), join(place, "canary")];
  for (const one of [root, source, canary]) mkdirSync(join(one, "sub"), { recursive: true });
  for (const one of [source, canary]) writeFileSync(join(one, "file"), "whole");
  writeFileSync(join(source, "sub/file"), "evil");
  for (const one of [root, source]) {
    symlinkSync(canary, join(one, "link"));
    symlinkSync("../../../../../..".concat(canary), join(one, "climbing"));
    symlinkSync("loop", join(one, "loop"));
  }
});
afterEach(() => {
  try {
    expect(readdirSync(place).sort()).toEqual(["canary", "root", "source"]);
    expect(readdirSync(canary, { recursive: true }).sort()).toEqual(["file", "sub"]);
    expect(readFileSync(join(canary, "file"), "utf8")).toBe("whole");
    expect(lstatSync(join(canary, "file")).mode & 0o7777).toBe(0o644);
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
});

const plainCopy: CopyAction = {
  kind: "copy",
  src: "/",
  dest: "/",
  modeStr: "",
  followSymlink: true,
  dirCopyContents: false,
  createDestPath: true,
  allowWildcard: true,
  allowEmptyWildcard: true,
  attemptUnpack: false,
  alwaysReplaceExistingDestPaths: true,
  includePatterns: [],
  excludePatterns: [],
  requiredPaths: [],
};

const ways = [
  "/..",
  "/../..",
  "/sub/..",
  "/sub/../..",
  "/../canary",
  "/link",
  "/climbing",
  "/link/sub",
];

describe("copies", () => {
  it.each(ways)("from %s take nothing from outside and put nothing there", async (src) => {
    for (const dirCopyContents of [false, true]) {
      for (const dest of ["/", "/sub", "/new/", ...ways]) {
        const action = { ...plainCopy, src, dest, dirCopyContents };
        // Sources that are not there are an error; all that counts is what was touched.
        await performCopy(action, directoryView(source), root, undefined, uncancelled).catch(
          () => {},
        );
      }
    }
    const found = readdirSync(root, { recursive: true }) as string[];
    for (const one of found.filter((path) => path.endsWith("/file"))) {
      if (lstatSync(join(root, one)).isFile())
        expect(readFileSync(join(root, one), "utf8")).toMatch(/evil|whole/);
    }
  });

  it("of a link loop are an error with a name", async () => {
    const copy = performCopy(
      { ...plainCopy, src: "/loop/x" },
      directoryView(source),
      root,
      undefined,
      uncancelled,
    );
    await expect(copy).rejects.toMatchObject({ code: "PATH_INVALID" });
  });
});

const plainFile = { kind: "mkfile", mode: 0o4777 } as const;
const data = new TextEncoder().encode("evil");

it.each([...ways, "/link/file", "/climbing/file"])(
  "%s can be made and removed inside only",
  (path) => {
    const attempts = [
      () => makeFile(root, { ...plainFile, path, data }, { uid: 7, gid: 7 }),
      () =>
        makeDirectory(
          root,
          {
            kind: "mkdir",
            path: `${path}/made`,
            mode: 0o777,
            makeParents: true,
          },
          { uid: 7, gid: 7 },
        ),
      () =>
        makeSymlink(
          root,
          {
            kind: "symlink",
            oldPath: "/x",
            newPath: `${path}/symlink`,
          },
          undefined,
        ),
      () =>
        remove(root, { kind: "rm", path: `${path}/*`, allowNotFound: true, allowWildcard: true }),
      () => remove(root, { kind: "rm", path, allowNotFound: true, allowWildcard: false }),
    ];
    for (const attempt of attempts) {
      try {
        attempt();
      } catch (error) {
        expect((error as Error).message).not.toBe("");
      }
    }
    expect(existsSync(root)).toBe(true);
  },
);

it("a FIFO and a device in the place of a file are replaced, not opened", ({ skip }) => {
  if (process.geteuid?.() !== 0) skip("needs root");
  loadSyscalls().mknod(join(root, "pipe"), 0o010666, 0, 0);
  loadSyscalls().mknod(join(root, "null"), 0o020666, 1, 3);
  for (const path of ["/pipe", "/null"]) {
    makeFile(root, { ...plainFile, path, data }, undefined);
    expect(readFileSync(join(root, path), "utf8")).toBe("evil");
  }
});

it.each(["fifo", "loop", "zero"])("owners are not looked up in a passwd that is a %s", (kind) => {
  mkdirSync(join(source, "etc"));
  const passwd = join(source, "etc/passwd");
  if (kind === "fifo") loadSyscalls().mknod(passwd, 0o010666, 0, 0);
  else symlinkSync(kind === "loop" ? "passwd" : "/dev/zero", passwd);
  const view = directoryView(source);
  const owner = { user: { name: "nobody", input: 0 } } as const;
  const warnings: string[] = [];
  const look = () =>
    resolveOwner(owner, { viewOf: () => view, warn: (message) => warnings.push(message) });
  if (kind === "loop") {
    expect(look).toThrow(expect.objectContaining({ code: "PATH_INVALID" }));
    return;
  }
  expect(look()).toEqual({ uid: 0, gid: 0 });
  expect(warnings).toHaveLength(1);
});
