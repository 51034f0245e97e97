// Copied files are what they were, whatever their size, and holes take no room.
import {
  closeSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { copyBytes } from "./copy-bytes.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "kiln-copy-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

test.each([0, 1, 1 << 20, (1 << 20) + 1, 3 << 20])("a file of %d bytes", (size) => {
  const [from, to] = [join(directory, "from"), join(directory, "to")];
  writeFileSync(from, new Uint8Array(size).fill(7));
  copyBytes(from, to, size, 0o640);
  expect(readFileSync(to).equals(readFileSync(from))).toBe(true);
});

test("ten gigabytes of nothing, with a word in them", () => {
  const [from, to, size] = [join(directory, "from"), join(directory, "to"), 10 * 2 ** 30];
  const file = openSync(from, "w");
  ftruncateSync(file, size);
  writeSync(file, "word", 5 * 2 ** 30);
  closeSync(file);
  copyBytes(from, to, size, 0o644);
  expect(statSync(to).size).toBe(size);
  expect(statSync(to).blocks * 512).toBeLessThan(2 ** 20);
  const copy = openSync(to, "r");
  const word = new Uint8Array(4);
  readSync(copy, word, 0, 4, 5 * 2 ** 30);
  closeSync(copy);
  expect(new TextDecoder().decode(word)).toBe("word");
});
