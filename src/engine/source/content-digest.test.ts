// A digest of contents is the same wherever the files lie, and another as soon as anything that counts differs.
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { abortReason, digestOf, uncancelled } from "../../base/index.ts";
import type { HostEntry, HostTree } from "../../storage/snapshot/index.ts";
import { type ContentSelection, type ContentView, contentDigest } from "./content-digest.ts";
import { directoryContent, hostTreeContent, hostTreeDigest } from "./host-tree.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "kiln-content-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

type Files = Readonly<
  Record<string, string | { readonly link: string } | { readonly mode: number }>
>;

/** `a/` is a directory, the rest are files with that text, or links. */
function writeTree(name: string, files: Files): string {
  const directory = join(root, name);
  mkdirSync(directory, { recursive: true });
  chmodSync(directory, 0o755);
  for (const [path, what] of Object.entries(files)) {
    const full = join(directory, path);
    if (path.endsWith("/")) {
      mkdirSync(full, { recursive: true });
      chmodSync(full, 0o755);
    } else if (typeof what === "string") {
      writeFileSync(full, what);
      chmodSync(full, 0o644);
    } else if ("link" in what) symlinkSync(what.link, full);
    else {
      writeFileSync(full, "");
      chmodSync(full, what.mode);
    }
  }
  return directory;
}

const files: Files = {
  "a/": "",
  "a-b": "one",
  "a/b": "two",
  "a/c/": "",
  "a/c/d": "three",
  link: { link: "a/b" },
};

const all: ContentSelection = { paths: ["/"] };
const digest = (view: ContentView, selection: ContentSelection = all) =>
  contentDigest(view, selection, uncancelled);

function hostTree(): HostTree {
  const file = (path: string, text: string): HostEntry => ({
    path,
    mode: 0o100644,
    size: text.length,
    mtime: 7n,
    digest: digestOf(text),
  });
  const directory = (path: string): HostEntry => ({ path, mode: 0o040755, size: 0, mtime: 7n });
  return {
    directory: "/nowhere",
    entries: [
      directory("a"),
      file("a/b", "two"),
      directory("a/c"),
      file("a/c/d", "three"),
      file("a-b", "one"),
      { path: "link", mode: 0o120777, size: 0, mtime: 7n, linkname: "a/b" },
    ],
  };
}

test("equal files in two directories have equal digests, whatever their times", async () => {
  const one = writeTree("one", files);
  const two = writeTree("two", files);
  utimesSync(join(two, "a/b"), 1, 1);
  expect(await digest(directoryContent(one))).toBe(await digest(directoryContent(two)));
});

test.runIf(process.getuid?.() === 0)(
  "a host tree has the digest of a directory that belongs to root",
  async () => {
    const directory = directoryContent(writeTree("one", files));
    const tree = hostTree();
    expect(hostTreeDigest(tree)).toBe(await digest(directory));
    expect(await digest(hostTreeContent(hostTree()))).toBe(await digest(directory));
    const part: ContentSelection = { paths: ["/a", "/link"], names: true };
    expect(await digest(hostTreeContent(tree), part)).toBe(await digest(directory, part));
  },
);

const changes: Readonly<Record<string, Files>> = {
  "a file's bytes": { ...files, "a/b": "TWO" },
  "a file's name": {
    "a/": "",
    "a-b": "one",
    "a/B": "two",
    "a/c/": "",
    "a/c/d": "three",
    link: { link: "a/b" },
  },
  "a link's target": { ...files, link: { link: "a/c" } },
  "an empty directory": { ...files, "a/e/": "" },
  "a file's mode": { ...files, empty: { mode: 0o755 } },
};

for (const [what, changed] of Object.entries(changes)) {
  test(`${what} counts`, async () => {
    const before = what === "a file's mode" ? { ...files, empty: { mode: 0o644 } } : files;
    const one = directoryContent(writeTree("one", before));
    const two = directoryContent(writeTree("two", changed));
    expect(await digest(one)).not.toBe(await digest(two));
  });
}

test("only what is selected counts", async () => {
  const one = directoryContent(writeTree("one", files));
  const two = directoryContent(writeTree("two", { ...files, "a-b": "other" }));
  expect(await digest(one, { paths: ["/a"] })).toBe(await digest(two, { paths: ["/a"] }));
  expect(await digest(one, { paths: ["/a-b"] })).not.toBe(await digest(two, { paths: ["/a-b"] }));
});

test("a missing path is a content of its own", async () => {
  const view = directoryContent(writeTree("one", files));
  const missing = await digest(view, { paths: ["/none"] });
  expect(missing).toBe(await digest(view, { paths: ["/nothing"] }));
  expect(missing).not.toBe(await digest(view, { paths: [] }));
});

test("the name of a single path counts only where it is asked for", async () => {
  const view = directoryContent(writeTree("one", { x: "same", y: "same" }));
  expect(await digest(view, { paths: ["/x"] })).toBe(await digest(view, { paths: ["/y"] }));
  const named = (path: string) => digest(view, { paths: [path], names: true });
  expect(await named("/x")).not.toBe(await named("/y"));
});

test("directories on the way to included files count, others do not", async () => {
  const includes = (path: string, directory: boolean) =>
    path === "a/c/d" ? "yes" : directory && "a/c/d".startsWith(`${path}/`) ? "inside" : "no";
  const selection: ContentSelection = { paths: ["/"], includes };
  const one = directoryContent(writeTree("one", files));
  const two = directoryContent(
    writeTree("two", { "a/": "", "a/c/": "", "a/c/d": "three", "a/z": "" }),
  );
  const three = directoryContent(writeTree("three", { "a/": "", "a/c/": "" }));
  const four = directoryContent(writeTree("four", {}));
  expect(await digest(one, selection)).toBe(await digest(two, selection));
  expect(await digest(one, selection)).not.toBe(await digest(three, selection));
  expect(await digest(three, selection)).toBe(await digest(four, selection));
});

test("a digest is computed once a view, and not remembered when it failed", async () => {
  let looks = 0;
  const directory = directoryContent(writeTree("one", files));
  const view: ContentView = {
    ...directory,
    lstat(path) {
      looks++;
      if (looks === 1) throw new Error("disk on fire");
      return directory.lstat(path);
    },
  };
  await expect(digest(view)).rejects.toThrow("disk on fire");
  const first = await digest(view);
  const before = looks;
  expect(await digest(view)).toBe(first);
  expect(looks).toBe(before);
});

test("a cancelled call stops the walk", async () => {
  const controller = new AbortController();
  const directory = directoryContent(writeTree("one", { "a/": "", "a/b": "" }));
  const view: ContentView = {
    ...directory,
    readdir(path) {
      controller.abort(abortReason("enough"));
      const until = performance.now() + 60;
      while (performance.now() < until);
      return directory.readdir(path);
    },
  };
  await expect(contentDigest(view, all, { signal: controller.signal })).rejects.toThrow("enough");
});

test("a tree deeper than the call stack is no problem", async () => {
  const view: ContentView = {
    lstat: () => ({ type: "directory", mode: 0o755, uid: 0, gid: 0, size: 0, rdev: 0 }),
    readdir: (path) => (path.length < 20_000 ? ["d"] : []),
    readlink: () => "",
    hostPath: () => "",
  };
  expect(await digest(view)).toMatch(/^sha256:/);
});
