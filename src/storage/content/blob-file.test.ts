// Writing blobs: many sizes in order, and failures that are told whenever they happen.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { concatBytes } from "../../base/index.ts";
import { BlobFile } from "./blob-file.ts";

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "kiln-blob-"));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

it("keeps the order of small and large chunks", async () => {
  const chunks = [1, 200_000, 3, 500_000, 131_072, 7, 300_000, 400_000, 250_000, 2].map(
    (length, at) => new Uint8Array(length).fill(at + 1),
  );
  const path = join(directory, "mixed");
  const file = new BlobFile(path);
  for (const chunk of chunks) await file.append(chunk);
  await file.finish();
  expect(file.size).toBe(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  expect(concatBytes(chunks)).toEqual(new Uint8Array(readFileSync(path)));
});

it("gives what was flushed on the way back whole", async () => {
  const chunk = new Uint8Array(1 << 20);
  const path = join(directory, "large");
  const file = new BlobFile(path);
  for (let at = 0; at < 150; at++) await file.append(chunk.slice().fill(at));
  await file.finish();
  const found = readFileSync(path);
  expect(found.length).toBe(150 << 20);
  for (let at = 0; at < 150; at++) expect(found[(at << 20) + at]).toBe(at);
});

it("tells of a disk that is full, at the latest at the end", async () => {
  // Every write to this device fails, as on a full disk.
  const full = async (length: number) => {
    const file = new BlobFile("/dev/full", "w");
    try {
      await file.append(new Uint8Array(length));
      await file.finish();
    } finally {
      await file.abandon();
    }
  };
  await expect(full(10)).rejects.toMatchObject({ code: "ENOSPC" });
  await expect(full(1 << 20)).rejects.toMatchObject({ code: "ENOSPC" });
});

it("does not write into what is there already", () => {
  const path = join(directory, "taken");
  const file = new BlobFile(path);
  expect(() => new BlobFile(path)).toThrow("EEXIST");
  return file.abandon();
});
