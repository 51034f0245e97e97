// Lent files are read into memory that is used again where whoever takes the pieces gives it back.
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { TakeChunk } from "../../api/index.ts";
import { uncancelled as call, concatBytes } from "../../base/index.ts";
import { shareDirectory } from "./share.ts";

const contents = new Uint8Array(randomBytes(9_000_000));
let root = "";
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "kiln-share-"));
  writeFileSync(join(root, "file"), contents);
});
afterAll(() => rmSync(root, { recursive: true }));

const digestOf = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** What came, and how many buffers it came in. */
async function read(takes: (chunk: Uint8Array, release: () => void) => void) {
  await using files = shareDirectory(root, {}, call);
  for await (const _ of files.entries);
  const buffers = new Set<ArrayBufferLike>();
  const take: TakeChunk = (chunk, release) => {
    buffers.add(chunk.buffer);
    takes(chunk, release ?? (() => {}));
  };
  await files.read(0, take, call);
  return buffers.size;
}

it("a piece that is given back holds one of the next", async () => {
  const copies: Uint8Array[] = [];
  const buffers = await read((chunk, release) => {
    copies.push(Uint8Array.from(chunk));
    release();
  });
  expect(digestOf(concatBytes(copies))).toBe(digestOf(contents));
  expect(buffers).toBeLessThanOrEqual(2);
});

it("a piece that nobody gives back is left alone", async () => {
  const pieces: Uint8Array[] = [];
  await read((chunk, release) => {
    pieces.push(chunk);
    if (pieces.length === 3) release();
  });
  const size = pieces[0]?.length ?? 0;
  const changed = pieces.flatMap((piece, at) => {
    const was = contents.subarray(at * size, (at + 1) * size);
    return digestOf(piece) === digestOf(was) ? [] : [at];
  });
  expect(changed).toEqual([2]);
});
