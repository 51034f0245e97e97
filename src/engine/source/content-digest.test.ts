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
import { contentDigest } from "./content-digest.ts";
import { contentHeader } from "./content-header.ts";
import type { ContentSelection, ContentStat, ContentView } from "./content-view.ts";
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

const selected = (...paths: readonly string[]): ContentSelection => ({
  selectors: paths.map((path) => ({ path })),
});
const all = selected("/");
const digest = (view: ContentView, selection: ContentSelection = all) =>
  contentDigest(view, selection, uncancelled);

const headerOf = (size: number) =>
  contentHeader({ type: "file", mode: 0o644, uid: 0, gid: 0, size, rdev: 0 }, "");

function hostTree(): HostTree {
  const file = (path: string, text: string): HostEntry => ({
    path,
    mode: 0o100644,
    size: text.length,
    mtime: 7n,
    digest: digestOf(`${headerOf(text.length)}${text}`),
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
    const bare: ContentView = { ...directory, bareRoot: true };
    expect(digestOf(hostTreeDigest(tree))).toBe(await digest(bare));
    expect(await digest(hostTreeContent(hostTree()))).toBe(await digest(bare));
    const part = selected("/a", "/link");
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

let trees = 0;
const bytes = (text: string) => new TextEncoder().encode(text);

/** A tree of a directory, a file and a link, with attributes on one of them. */
function withXattrs(path: string, xattrs: Readonly<Record<string, string>>): ContentView {
  const directory = directoryContent(writeTree(`tree-${++trees}`, files));
  const found = new Map(Object.entries(xattrs).map(([name, value]) => [name, bytes(value)]));
  return { ...directory, xattrs: (one) => (one === path ? found : new Map()) };
}

test.each(["/a", "/a-b", "/", "/link"])(
  "extended attributes of %s count, with their values",
  async (path) => {
    const plain = await digest(withXattrs(path, {}));
    const found = [
      plain,
      await digest(withXattrs(path, { "user.a": "1" })),
      await digest(withXattrs(path, { "user.a": "2" })),
      await digest(withXattrs(path, { "user.b": "1" })),
      await digest(withXattrs(path, { "user.a": "1", "user.b": "1" })),
      await digest(withXattrs(path, { "user.a": "", "user.a1": "" })),
      await digest(withXattrs(path, { "security.capability": "c" })),
      await digest(withXattrs(path, { "system.posix_acl_access": "a" })),
    ];
    expect(new Set(found).size).toBe(found.length);
    const order = { "user.b": "1", "user.a": "1" };
    expect(await digest(withXattrs(path, order))).toBe(found[4]);
    const machines = {
      "security.selinux": "x",
      "com.apple.quarantine": "y",
      "system.nfs4_acl": "z",
    };
    const kept = { "trusted.overlay.origin": "o", "user.overlay.origin": "o" };
    expect(await digest(withXattrs(path, { ...machines, ...kept }))).toBe(plain);
  },
);

test("an owner that is noted counts as the owner", async () => {
  const one = withXattrs("/a-b", { "user.kiln.owner": "7:8" });
  const two = withXattrs("/a-b", {});
  const owned: ContentView = {
    ...two,
    lstat(path) {
      const stat = two.lstat(path);
      return stat && path === "/a-b" ? { ...stat, uid: 7, gid: 8 } : stat;
    },
  };
  expect(await digest(one)).toBe(await digest(owned));
  expect(await digest(one)).not.toBe(await digest(two));
});

test("only what is selected counts", async () => {
  const one = directoryContent(writeTree("one", files));
  const two = directoryContent(writeTree("two", { ...files, "a-b": "other" }));
  expect(await digest(one, selected("/a"))).toBe(await digest(two, selected("/a")));
  expect(await digest(one, selected("/a-b"))).not.toBe(await digest(two, selected("/a-b")));
});

test("a missing path is a content of its own", async () => {
  const view = directoryContent(writeTree("one", files));
  const missing = await digest(view, selected("/none"));
  expect(missing).toBe(await digest(view, selected("/nothing")));
  expect(missing).not.toBe(await digest(view, selected()));
});

test("what wildcards match counts with its name, a single path without", async () => {
  const view = directoryContent(writeTree("one", { x: "same", y: "same" }));
  expect(await digest(view, selected("/x"))).toBe(await digest(view, selected("/y")));
  const named = (path: string) => digest(view, { selectors: [{ pattern: "/?", matches: [path] }] });
  expect(await named("/x")).not.toBe(await named("/y"));
});

test("digests are BuildKit's own", async () => {
  const directory = writeTree("one", {
    "d/": "",
    "d/sub/": "",
    "d/a": "a\n",
    "d/sub/b": "b\n",
    "d/l": { link: "a" },
    "1.txt": "1\n",
    "2.txt": "2\n",
  });
  chmodSync(join(directory, "2.txt"), 0o640);
  const view: ContentView = {
    ...directoryContent(directory),
    lstat: (path) => rooted(directoryContent(directory).lstat(path)),
  };
  // Out of a cache that BuildKit 0.25 exported.
  const key = (content: string) => digestOf(`${content}@-1`);
  expect(key(await digest(view, selected("/d")))).toBe(
    "sha256:ece69083fc89e5b85130606e9e7d93ca0a0aabb23f2e4cd2853e781c6c2e82ff",
  );
  const texts = { pattern: "/*.txt", matches: ["/1.txt", "/2.txt"] };
  expect(key(await digest(view, { selectors: [texts] }))).toBe(
    "sha256:354708824e97ae91e0eb54b878e76d90ab9edbde66bfd9e819193ebc410051e6",
  );
});

function rooted(stat: ContentStat | undefined): ContentStat | undefined {
  return stat && { ...stat, uid: 0, gid: 0 };
}

test("directories on the way to included files count, others do not", async () => {
  const includes = (path: string, directory: boolean) =>
    path === "a/c/d"
      ? "yes"
      : directory && (path === "" || "a/c/d".startsWith(`${path}/`))
        ? "inside"
        : "no";
  const selection: ContentSelection = {
    selectors: [{ pattern: "/", matches: ["/"], includes }],
  };
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
    xattrs: () => new Map(),
    hostPath: () => "",
  };
  expect(await digest(view)).toMatch(/^sha256:/);
});
