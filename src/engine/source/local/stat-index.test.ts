// The stat index knows a file again only while nothing of it has changed.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { digestOf } from "../../../base/index.ts";
import { type IndexedFile, readStatIndex, writeStatIndex } from "./stat-index.ts";

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "kiln-index-"));
  path = join(directory, "deep/index");
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const file = (name: string): IndexedFile => ({
  path: name,
  mode: 0o100644,
  size: 3,
  mtime: 1_700_000_000_123_456_789n,
  ctime: 1_700_000_000_987_654_321n,
  ino: 18_446_744_073_709_551_615n,
  digest: digestOf(name),
});

test("files are found again, asked for in any order", () => {
  const names = ["a", "b/ü", "b/c", "z"];
  writeStatIndex(path, names.map(file));
  const index = readStatIndex(path);
  for (const name of ["b/c", "a", "z", "b/ü", "a"]) {
    expect(index.digest(file(name))).toBe(digestOf(name));
  }
  expect(index.digest(file("c"))).toBeUndefined();
});

const changes = { mode: 0o100755, size: 4, mtime: 1n, ctime: 1n, ino: 1n };
for (const [member, value] of Object.entries(changes)) {
  test(`a file with another ${member} is not known`, () => {
    writeStatIndex(path, [file("a")]);
    expect(readStatIndex(path).digest({ ...file("a"), [member]: value })).toBeUndefined();
  });
}

test("files that were not asked for can be kept", () => {
  writeStatIndex(path, ["a", "b", "c"].map(file));
  const index = readStatIndex(path);
  index.digest(file("b"));
  expect([...index.unasked()]).toEqual([file("a"), file("c")]);
});

test("an absent index is empty", () => {
  expect(readStatIndex(path).size).toBe(0);
});

test("any damage makes it empty", () => {
  writeStatIndex(path, ["a", "b"].map(file));
  const whole = readFileSync(path);
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const damaged = new Uint8Array(whole);
      damaged[at] = (damaged[at] ?? 0) ^ change;
      writeFileSync(path, damaged);
      expect(readStatIndex(path).size).toBe(0);
    }),
    { numRuns: 60 },
  );
  for (const length of [0, 5, 60, whole.length - 1]) {
    writeFileSync(path, whole.subarray(0, length));
    expect(readStatIndex(path).size).toBe(0);
  }
});
