// What an output directory gets of what a builder sends: all of it, in place, and nothing outside, whatever it says.
import { Buffer } from "node:buffer";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { FileEntry, SharedFiles } from "../../api/index.ts";
import { uncancelled } from "../../base/index.ts";
import { fillDirectory } from "./fill.ts";
import { shareTrees } from "./share-trees.ts";

let directory: string;
let root: string;
let outside: string;
beforeEach(() => {
  // In memory where possible: thousands of small files take a disk seconds.
  directory = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "kiln-fill-"));
  root = join(directory, "root");
  outside = join(directory, "outside");
  mkdirSync(root);
  mkdirSync(outside);
  writeFileSync(join(outside, "file"), "precious");
});
afterEach(() => {
  try {
    expect(readdirSync(outside)).toEqual(["file"]);
    expect(readFileSync(join(outside, "file"), "utf8")).toBe("precious");
    expect(lstatSync(join(outside, "file"))).toMatchObject({ mode: 0o100644, nlink: 1 });
    expect(readdirSync(directory).sort()).toEqual(["outside", "root"]);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

type Said = Partial<FileEntry> & { readonly path: string; readonly data?: string };

const file = 0o100600;
const folder = 0o040750;
const link = 0o120777;

/** A builder that lists `said` and sends what each entry says, in pieces of two bytes. */
function sender(said: readonly Said[]): SharedFiles {
  const list = said.map(({ data = "", ...entry }): FileEntry => {
    return {
      mode: file,
      uid: 0,
      gid: 0,
      size: data.length,
      mtime: 1_600_000_000_123_456_789n,
      ...entry,
    };
  });
  return {
    entries: (async function* () {
      yield list;
    })(),
    async read(index, take) {
      const data = new TextEncoder().encode(said[index]?.data ?? "");
      for (let at = 0; at < data.length; at += 2) {
        await new Promise((resolve) => setImmediate(resolve));
        await take(data.subarray(at, at + 2));
      }
    },
    async [Symbol.asyncDispose]() {},
  };
}

const fill = (said: readonly Said[], call = uncancelled): Promise<void> =>
  fillDirectory(sender(said), root, call);
const read = (path: string) => readFileSync(join(root, path), "utf8");

test("files, directories and links come with modes and times to the nanosecond", async () => {
  await fill([
    { path: "d", mode: 0o040555 },
    { path: "d/empty", mode: 0o100640 },
    { path: "d/file", mode: 0o104755, uid: 12, gid: 34, data: "hello" },
    { path: "d/link", mode: link, linkname: "/nowhere" },
    { path: "d/same", mode: 0o104755, linkname: "d/file" },
    { path: "pipe", mode: 0o010600 },
  ]);
  expect(read("d/file")).toBe("hello");
  expect(readlinkSync(join(root, "d/link"))).toBe("/nowhere");
  expect(lstatSync(join(root, "d/same")).ino).toBe(lstatSync(join(root, "d/file")).ino);
  expect(lstatSync(join(root, "d")).mode).toBe(0o040555);
  expect(lstatSync(join(root, "d/file")).mode).toBe(0o104755);
  expect(lstatSync(join(root, "d/empty"))).toMatchObject({ mode: 0o100640, size: 0 });
  expect(lstatSync(join(root, "d/file")).uid).toBe(process.getuid?.());
  expect(lstatSync(join(root, "pipe")).isFIFO()).toBe(true);
  for (const path of ["d", "d/empty", "d/file", "d/link", "pipe"])
    expect(lstatSync(join(root, path), { bigint: true }).mtimeNs).toBe(1_600_000_000_123_456_789n);
});

test("thousands of files come, empty ones too", async () => {
  const said = Array.from({ length: 2500 }, (_, at) => ({
    path: `f${String(at).padStart(4, "0")}`,
    data: "x".repeat(at % 3),
  }));
  await fill(said);
  expect(readdirSync(root)).toHaveLength(2500);
  for (const { path, data } of said) expect(read(path)).toBe(data);
});

test("what is there already stays, or is replaced by what has its name", async () => {
  mkdirSync(join(root, "d/old"), { recursive: true });
  writeFileSync(join(root, "d/kept"), "kept");
  writeFileSync(join(root, "d/new"), "old");
  mkdirSync(join(root, "file/full"), { recursive: true });
  writeFileSync(join(root, "turned"), "a file");
  await fill([
    { path: "d", mode: folder },
    { path: "d/new", data: "new" },
    { path: "file", data: "a file now" },
    { path: "turned", mode: folder },
  ]);
  expect([read("d/kept"), read("d/new"), read("file")]).toEqual(["kept", "new", "a file now"]);
  expect(lstatSync(join(root, "turned")).isDirectory()).toBe(true);
  expect(lstatSync(join(root, "d")).mode).toBe(folder);
});

test("links that lie in the directory are replaced, not followed", async () => {
  symlinkSync(outside, join(root, "d"));
  symlinkSync(join(outside, "file"), join(root, "f"));
  symlinkSync(join(outside, "file"), join(root, "g"));
  symlinkSync(join(outside, "new"), join(root, "h"));
  await fill([
    { path: "d", mode: folder },
    { path: "d/file", data: "inside", mode: 0o100777 },
    { path: "f", data: "inside", mode: 0o100777 },
    { path: "g", mode: link, linkname: "f" },
    { path: "h", mode: 0o100777, linkname: "f" },
  ]);
  expect([read("d/file"), read("f"), read("g"), read("h")]).toEqual(Array(4).fill("inside"));
});

const hostile: Readonly<Record<string, readonly Said[]>> = {
  "a path that climbs": [{ path: "../outside/file", data: "evil" }],
  "an absolute path": [{ path: "/tmp/kiln-fill-evil", data: "evil" }],
  "a path with dots in it": [{ path: "d", mode: folder }, { path: "d/../../outside/x" }],
  "the directory itself": [{ path: ".", mode: folder }],
  "a path with NUL": [{ path: "a\0b" }],
  "a file below a link that it sent": [
    { path: "d", mode: link, linkname: "../outside" },
    { path: "d/file", data: "evil" },
  ],
  "a link in place of a directory that it sent": [
    { path: "d", mode: folder },
    { path: "d", mode: link, linkname: "../outside" },
    { path: "d/file", data: "evil" },
  ],
  "a file below a file": [{ path: "f", data: "x" }, { path: "f/g" }],
  "a hard link to what lies outside": [{ path: "f", linkname: "../outside/file" }],
  "a hard link to a symbolic link": [
    { path: "a", mode: link, linkname: "../outside/file" },
    { path: "b", linkname: "a" },
  ],
  "a file twice": [{ path: "f" }, { path: "f" }],
};

for (const [what, said] of Object.entries(hostile)) {
  test(`${what} is refused`, async () => {
    await expect(fill(said)).rejects.toMatchObject({ code: "PATH_INVALID" });
    expect(existsSync("/tmp/kiln-fill-evil")).toBe(false);
  });
}

test.each([
  ["more", 3],
  ["less", 9],
])("%s than was announced is refused", async (_, size) => {
  await expect(fill([{ path: "f", data: "12345", size }])).rejects.toMatchObject({
    code: "EXPORT_FAILED",
  });
});

test("more files at once than a sender works on are refused, and all of them are closed", async () => {
  const open = () => readdirSync("/proc/self/fd").length;
  const before = open();
  const said = Array.from({ length: 400 }, (_, at) => ({
    path: `f${String(at).padStart(4, "0")}`,
    data: "long enough",
  }));
  await expect(fill(said)).rejects.toMatchObject({ code: "PATH_INVALID" });
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(open()).toBeLessThan(before + 50);
});

test("a cancelled call ends it", async () => {
  const { signal } = { signal: AbortSignal.abort(new Error("enough")) };
  await expect(fill([{ path: "f", data: "x" }], { ...uncancelled, signal })).rejects.toThrow(
    "enough",
  );
});

test("what a build made arrives whatever its name's bytes are", async () => {
  const made = join(root, "made");
  const name = Uint8Array.of(0x66, 0xff, 0xfe) as unknown as string;
  const place = Buffer.concat([Buffer.from(`${made}/`), Buffer.from(name)]);
  mkdirSync(made);
  writeFileSync(place, "odd");
  writeFileSync(join(made, "zebra"), "plain");
  const taken = join(root, "taken");
  mkdirSync(taken);
  const files = shareTrees([{ root: made, prefix: "" }], undefined, uncancelled);
  await fillDirectory(files, taken, uncancelled);
  const names = readdirSync(taken, "buffer").map((one) => one.toString("hex"));
  expect(names.sort()).toEqual(["66fffe", Buffer.from("zebra").toString("hex")]);
});
