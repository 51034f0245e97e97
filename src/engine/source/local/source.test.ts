// Directories of the asking side as a source: what is taken, what is read again, and what keys come out.
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Session, StepCall } from "../../../api/index.ts";
import { digestOf, uncancelled } from "../../../base/index.ts";
import { scanDirectory } from "../../../storage/directory/index.ts";
import type { HostEntry, Snapshotter } from "../../../storage/snapshot/index.ts";
import { contentHeader } from "../content-header.ts";
import { checkUnchanged } from "../host-tree.ts";
import { hashFiles } from "./hash-files.ts";
import { createLocalSource } from "./source.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "kiln-local-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const call: StepCall = { ...uncancelled, step: digestOf("step"), emit() {} };
const platform = { os: "linux", architecture: "amd64" };

function write(directory: string, files: Readonly<Record<string, string>>): string {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(root, directory, path, ".."), { recursive: true });
    writeFileSync(join(root, directory, path), text);
  }
  return join(root, directory);
}

function sessionOf(directory: string): Session {
  return { directory: () => directory } as Partial<Session> as Session;
}

async function resolve(directory: string, attrs: Readonly<Record<string, string>> = {}) {
  // No test here makes a copy.
  const snapshotter = {} as Snapshotter;
  const source = createLocalSource({ directory: join(root, ".index"), snapshotter });
  const id = { scheme: "local", rest: "context", attrs, platform };
  return source.resolve(id, sessionOf(directory), call);
}

async function entries(
  directory: string,
  attrs: Readonly<Record<string, string>> = {},
): Promise<readonly HostEntry[]> {
  const snapshot = await (await resolve(directory, attrs)).fetch(call);
  return snapshot?.tree?.entries ?? [];
}

const list = (...patterns: readonly string[]) => JSON.stringify(patterns);
const paths = async (directory: string, attrs: Readonly<Record<string, string>> = {}) =>
  (await entries(directory, attrs)).map((entry) => entry.path);

/** Of a file that anybody may read: its header and its bytes. */
const fileDigest = (text: string) =>
  digestOf(
    contentHeader({ type: "file", mode: 0o644, uid: 0, gid: 0, size: text.length, rdev: 0 }, "") +
      text,
  );

test("entries come in path order, parents first, with digests on files", async () => {
  const directory = write("c", { "a-b": "1", "a/z": "2", "a/b/c": "3", é: "4" });
  symlinkSync("a/z", join(directory, "link"));
  const found = await entries(directory);
  expect(found.map((entry) => entry.path)).toEqual([
    "a",
    "a/b",
    "a/b/c",
    "a/z",
    "a-b",
    "link",
    "é",
  ]);
  expect(found.find((entry) => entry.path === "a/z")?.digest).toBe(fileDigest("2"));
  expect(found.find((entry) => entry.path === "link")?.linkname).toBe("a/z");
});

test("two equal directories have one key, whatever their times and owners' names", async () => {
  const one = write("one", { "a/b": "text", c: "more" });
  const two = write("two", { "a/b": "text", c: "more" });
  utimesSync(join(two, "c"), 5, 5);
  expect((await resolve(one)).cacheKey).toBe((await resolve(two)).cacheKey);
  chmodSync(join(two, "c"), 0o755);
  expect((await resolve(one)).cacheKey).not.toBe((await resolve(two)).cacheKey);
});

test("excluded files are not there, and do not count", async () => {
  const directory = write("c", { "a/keep": "1", "a/drop": "2", "node_modules/x/y": "3" });
  const attrs = { "local.excludepatterns": list("node_modules", "**/drop") };
  expect(await paths(directory, attrs)).toEqual(["a", "a/keep"]);
  const { cacheKey } = await resolve(directory, attrs);
  writeFileSync(join(directory, "node_modules/x/y"), "changed");
  expect((await resolve(directory, attrs)).cacheKey).toBe(cacheKey);
});

test("an exception brings back a file of an excluded directory, with its parents only", async () => {
  const directory = write("c", { "a/b/keep": "1", "a/b/drop": "2", "a/c/drop": "3", d: "4" });
  const attrs = { "local.excludepatterns": list("a", "!a/b/keep") };
  expect(await paths(directory, attrs)).toEqual(["a", "a/b", "a/b/keep", "d"]);
});

test("include patterns and followed paths take in what they name", async () => {
  const directory = write("c", { "src/a": "1", "src/b": "2", "other/x": "3", "lib/y": "4" });
  symlinkSync("../lib", join(directory, "src/lib"));
  expect(await paths(directory, { "local.includepattern": list("src/a") })).toEqual([
    "src",
    "src/a",
  ]);
  const followed = { "local.followpaths": list("src/lib/y", "src/b") };
  expect(await paths(directory, followed)).toEqual(["lib", "lib/y", "src", "src/b", "src/lib"]);
  expect(await paths(directory, { "local.followpaths": list("/") })).toHaveLength(8);
});

test("an excluded directory is not even looked into", async () => {
  const directory = write("c", { "a/b": "1", keep: "2" });
  const asked: string[] = [];
  const filter = {
    decide(path: string) {
      asked.push(path);
      return path === "a" ? ("no" as const) : ("yes" as const);
    },
  };
  await scanDirectory(directory, filter, uncancelled);
  expect(asked).toEqual(["a", "keep"]);
});

test("sockets are left out", async () => {
  const directory = write("c", { file: "1" });
  const server = createServer();
  await new Promise<void>((done) => server.listen(join(directory, "socket"), done));
  expect(await paths(directory)).toEqual(["file"]);
  await new Promise((done) => server.close(done));
});

/** More files than are read without an index, all last changed long ago by the clock that is used. */
const many = Object.fromEntries(Array.from({ length: 70 }, (_, i) => [`d${i % 7}/f${i}`, `${i}`]));
const later = () => Date.now() + 60_000;

async function hash(directory: string, now: () => number) {
  const files = await scanDirectory(directory, undefined, uncancelled);
  const index = join(root, "index");
  return hashFiles(files, { directory, index, now, onProgress() {} }, uncancelled);
}

test("unchanged files are not read again", async () => {
  const directory = write("c", many);
  const before = await hash(directory, later);
  // If one were opened now, this would be noticed.
  const files = await scanDirectory(directory, undefined, uncancelled);
  rmSync(directory, { recursive: true });
  const options = { directory, index: join(root, "index"), now: later, onProgress() {} };
  // Attributes of files that are known already are looked at when they are copied.
  const seen = before.map(({ xattrs: _, ...file }) => file);
  expect(await hashFiles(files, options, uncancelled)).toEqual(seen);
});

test("files that were changed just now are read again next time", async () => {
  const directory = write("c", many);
  await hash(directory, Date.now);
  const files = await scanDirectory(directory, undefined, uncancelled);
  rmSync(directory, { recursive: true });
  const options = { directory, index: join(root, "index"), now: Date.now, onProgress() {} };
  await expect(hashFiles(files, options, uncancelled)).rejects.toMatchObject({
    code: "CONTEXT_CHANGED",
  });
});

test("a change that keeps size and modification time is seen", async () => {
  const directory = write("c", many);
  const before = await hash(directory, later);
  const file = before.find((entry) => entry.digest)!;
  const seconds = Number(file.mtime / 1_000_000_000n);
  utimesSync(join(directory, file.path), seconds, seconds);
  await hash(directory, later);
  writeFileSync(join(directory, file.path), "x".repeat(file.size));
  utimesSync(join(directory, file.path), seconds, seconds);
  const after = await hash(directory, later);
  const changed = after.find((entry) => entry.path === file.path);
  expect(changed?.digest).toBe(fileDigest("x".repeat(file.size)));
});

test("a narrower selection does not forget what a wider one has read", async () => {
  const directory = write("c", many);
  const index = join(root, "index");
  const all = await scanDirectory(directory, undefined, uncancelled);
  const options = { directory, index, now: later, onProgress() {} };
  await hashFiles(all, options, uncancelled);
  writeFileSync(join(directory, "d0/f0"), "new");
  const decide = (path: string) => (path.startsWith("d6") ? "no" : "yes") as "no" | "yes";
  const some = await scanDirectory(directory, { decide }, uncancelled);
  await hashFiles(some, { ...options, index }, uncancelled);
  const rest = await scanDirectory(directory, undefined, uncancelled);
  rmSync(directory, { recursive: true });
  expect(await hashFiles(rest, options, uncancelled)).toHaveLength(77);
});

test("a file that is written to after the scan is noticed by who reads it", async () => {
  const directory = write("c", { a: "before" });
  const snapshot = await (await resolve(directory)).fetch(call);
  const tree = snapshot!.tree!;
  checkUnchanged(tree, tree.entries[0]!);
  writeFileSync(join(directory, "a"), "AFTER.");
  utimesSync(join(directory, "a"), 1, 1);
  expect(() => checkUnchanged(tree, tree.entries[0]!)).toThrowError(
    expect.objectContaining({ code: "CONTEXT_CHANGED" }),
  );
});

test("a context that is missing or no directory is an error that says so", async () => {
  await expect(resolve(join(root, "none"))).rejects.toMatchObject({ code: "CONTEXT_NOT_FOUND" });
  const directory = write("c", { file: "" });
  const failure = resolve(join(directory, "file"));
  await expect(failure).rejects.toThrow("is not a directory");
});

test("pattern lists that are no lists are refused", async () => {
  const directory = write("c", { file: "" });
  for (const value of ["{", "{}", "[1]", '"x"']) {
    const attrs = { "local.excludepatterns": value };
    await expect(resolve(directory, attrs)).rejects.toMatchObject({ code: "DEFINITION_INVALID" });
  }
  expect(await paths(directory, { "local.followpaths": "null" })).toEqual(["file"]);
});

test("progress counts the bytes of the context", async () => {
  const directory = write("c", { a: "12345", b: "678" });
  const seen: number[] = [];
  const source = createLocalSource({ directory: root, snapshotter: {} as Snapshotter });
  const id = { scheme: "local", rest: "context", attrs: {}, platform };
  await source.resolve(id, sessionOf(directory), {
    ...call,
    emit: (event) => event.type === "progress" && seen.push(event.current),
  });
  expect(seen.at(-1)).toBe(8);
  expect(readdirSync(root)).not.toContain("index");
});
