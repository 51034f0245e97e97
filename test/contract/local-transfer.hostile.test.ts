// Files that come over a session: what arrives, and what a session may not do.
import { lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { FileEntry, FileFilter, Session } from "../../src/api/index.ts";
import { bytesOf } from "../../src/base/index.ts";
import { createLocalSource } from "../../src/engine/source/index.ts";
import {
  openOverlaySnapshotter,
  readXattrs,
  type Snapshotter,
  withMounted,
} from "../../src/storage/snapshot/index.ts";
import { silentCall } from "../kit/exporting.ts";
import { describeWith } from "../kit/needs.ts";

const call = silentCall;
const file = 0o100644;
const directory = 0o040755;
const link = 0o120777;

function entry(path: string, mode: number, more: Partial<FileEntry> = {}): FileEntry {
  return { path, mode, uid: 1000, gid: 1000, size: 0, mtime: 1_600_000_000_123_456_789n, ...more };
}

interface Shared {
  readonly entries: readonly FileEntry[];
  readonly contents?: Readonly<Record<string, string>>;
  readonly asked?: FileFilter[];
  /** Paths whose contents were asked for. */
  readonly reads?: string[];
}

/** A session on another machine: nothing can be read in place. */
function sessionOf({ entries, contents = {}, asked, reads }: Shared): Session {
  const session: Partial<Session> = {
    directory: () => undefined,
    files(_name, filter) {
      asked?.push(filter);
      return {
        entries: (async function* () {
          yield entries;
        })(),
        async read(index, take) {
          const path = entries[index]?.path ?? "";
          reads?.push(path);
          for await (const chunk of bytesOf(contents[path] ?? "")) await take(chunk);
        },
        async [Symbol.asyncDispose]() {},
      };
    },
  };
  return session as Session;
}

describeWith(["root"], "files over a session", () => {
  let root: string;
  let snapshotter: Snapshotter;
  beforeEach(async () => {
    root = mkdtempSync(join(tmpdir(), "kiln-transfer-"));
    snapshotter = await openOverlaySnapshotter({ dir: join(root, "snapshots") });
  });
  afterEach(async () => {
    await snapshotter[Symbol.asyncDispose]();
    rmSync(root, { recursive: true, force: true });
  });

  async function transfer(shared: Shared, attrs: Readonly<Record<string, string>> = {}) {
    const source = createLocalSource({ directory: join(root, "sources"), snapshotter });
    const id = {
      scheme: "local",
      rest: "context",
      attrs,
      platform: { os: "linux", architecture: "amd64" },
    };
    const resolved = await source.resolve(id, sessionOf(shared), call);
    const snapshot = await resolved.fetch(call);
    if (!snapshot) throw new Error("a transfer gives a snapshot");
    return { resolved, snapshot };
  }

  const whole: Shared = {
    entries: [
      entry("dir", directory),
      entry("dir/file", 0o100600, { size: 4 }),
      entry("link", link, { linkname: "/etc/passwd" }),
    ],
    contents: { "dir/file": "text" },
  };

  test("files arrive with mode and time, and belong to root", async () => {
    const { snapshot } = await transfer(whole);
    await using held = snapshot;
    await withMounted(await held.mounts(call), call, (mounted) => {
      expect(readFileSync(join(mounted, "dir/file"), "utf8")).toBe("text");
      const stat = lstatSync(join(mounted, "dir/file"), { bigint: true });
      expect([stat.mode & 0o7777n, stat.uid, stat.mtimeNs]).toEqual([
        0o600n,
        0n,
        1_600_000_000_123_456_789n,
      ]);
      expect(lstatSync(join(mounted, "dir"), { bigint: true }).mtimeNs).toBe(
        1_600_000_000_123_456_789n,
      );
      expect(readlinkSync(join(mounted, "link"))).toBe("/etc/passwd");
    });
  });

  test("extended attributes arrive, count with their values, and no file is taken for another by them", async () => {
    const value = (text: string) => new TextEncoder().encode(text);
    const shared = (kind: string | undefined, of: "dir" | "dir/file" | "link"): Shared => ({
      ...whole,
      entries: whole.entries.map((one) =>
        one.path === of && kind !== undefined
          ? {
              ...one,
              xattrs: new Map([
                ["trusted.kind", value(kind)],
                ["security.selinux", value(kind)],
                ["user.overlay.opaque", value("y")],
              ]),
            }
          : one,
      ),
    });
    const keys = new Set<unknown>();
    for (const of of ["dir", "dir/file"] as const) {
      for (const kind of [undefined, "one", "two"]) {
        const { resolved, snapshot } = await transfer(shared(kind, of));
        await using held = snapshot;
        keys.add(resolved.cacheKey);
        await withMounted(await held.mounts(call), call, (mounted) => {
          const found = readXattrs(join(mounted, of));
          const text = new TextDecoder().decode(found.get("trusted.kind"));
          expect(text).toBe(kind ?? "");
          expect([...found.keys()]).toEqual(kind === undefined ? [] : ["trusted.kind"]);
          expect(readFileSync(join(mounted, "dir/file"), "utf8")).toBe("text");
        });
      }
    }
    // The two without any are the same.
    expect(keys.size).toBe(5);
    const { resolved } = await transfer(shared("one", "link"));
    expect(keys).toContain(resolved.cacheKey);
  });

  test("the same files have the same key, and are asked for once", async () => {
    const reads: string[] = [];
    const keys: string[] = [];
    for (let i = 0; i < 2; i++) {
      const { resolved, snapshot } = await transfer({ ...whole, reads });
      await snapshot[Symbol.asyncDispose]();
      keys.push(resolved.cacheKey);
    }
    expect(keys[0]).toBe(keys[1]);
    expect(reads).toEqual(["dir/file"]);
  });

  test("a changed file is asked for again, and only that one", async () => {
    const reads: string[] = [];
    const two = (size: number, mtime: bigint): Shared => ({
      entries: [entry("a", file, { size: 4 }), entry("b", file, { size, mtime })],
      contents: { a: "same", b: "x".repeat(size) },
      reads,
    });
    const first = await transfer(two(3, 1n));
    await first.snapshot[Symbol.asyncDispose]();
    const second = await transfer(two(3, 2n));
    await second.snapshot[Symbol.asyncDispose]();
    expect(reads).toEqual(["a", "b", "b"]);
  });

  test("a file that may still change within its time is asked for again", async () => {
    const reads: string[] = [];
    const fresh = {
      entries: [entry("a", file, { size: 1, mtime: BigInt(Date.now()) * 1_000_000n })],
    };
    for (let i = 0; i < 2; i++) {
      const { snapshot } = await transfer({ ...fresh, contents: { a: "x" }, reads });
      await snapshot[Symbol.asyncDispose]();
    }
    expect(reads).toEqual(["a", "a"]);
  });

  test("hard links arrive as one file", async () => {
    const { snapshot } = await transfer({
      entries: [entry("a", file, { size: 4 }), entry("b", file, { linkname: "a" })],
      contents: { a: "text" },
    });
    await using held = snapshot;
    await withMounted(await held.mounts(call), call, (mounted) => {
      expect(readFileSync(join(mounted, "b"), "utf8")).toBe("text");
      expect(lstatSync(join(mounted, "a")).ino).toBe(lstatSync(join(mounted, "b")).ino);
    });
  });

  test("the session is told which files are wanted", async () => {
    const asked: FileFilter[] = [];
    const attrs = { "local.followpaths": '["a"]', "local.excludepatterns": '["b","!c"]' };
    const { snapshot } = await transfer({ entries: [], asked }, attrs);
    await snapshot[Symbol.asyncDispose]();
    expect(asked).toEqual([{ followPaths: ["a"], exclude: ["b", "!c"] }]);
  });

  const hostile: Readonly<Record<string, readonly FileEntry[]>> = {
    "out of the snapshot": [entry("../escape", file)],
    "to an absolute path": [entry("/tmp/escape", file)],
    "through a link that it sent before": [
      entry("l", link, { linkname: "/tmp" }),
      entry("l/escape", file),
    ],
    "through a directory that it replaced by a link": [
      entry("d", directory),
      entry("d", link, { linkname: "/tmp" }),
      entry("d/escape", file),
    ],
    "below a file": [entry("f", file), entry("f/escape", file)],
    "to dots": [entry("d", directory), entry("d/..", directory)],
    "to an empty name": [entry("d", directory), entry("d/", file)],
    "with a NUL in its name": [entry("a\0b", file)],
    "twice to one path": [entry("f", file), entry("f", file)],
    "out of order": [entry("g", file), entry("f", file)],
    "a hard link to a file outside": [entry("f", file, { linkname: "../../etc/passwd" })],
    "a hard link to a directory": [entry("d", directory), entry("f", file, { linkname: "d" })],
    "a name that is too long": [entry("x".repeat(5000), file)],
  };
  for (const [where, entries] of Object.entries(hostile)) {
    test(`a session cannot write ${where}`, async () => {
      await expect(transfer({ entries })).rejects.toThrow();
      expect(readdirSync(tmpdir())).not.toContain("escape");
      expect(readdirSync(root)).not.toContain("escape");
    });
  }

  for (const [what, size] of [
    ["more", 2],
    ["fewer", 9],
  ] as const) {
    test(`a file of ${what} bytes than were announced is refused`, async () => {
      const shared = { entries: [entry("f", file, { size })], contents: { f: "text" } };
      await expect(transfer(shared)).rejects.toMatchObject({ code: "CONTEXT_CHANGED" });
    });
  }
});
