// eStargz: an ordinary gzip to everybody, in which each file can be found by the table at its end.
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { gathered, pieces, tarOf } from "../../../test/kit/tar.ts";
import { bytesOf, concatBytes, digestOf } from "../../base/index.ts";
import { estargz, tarEnd } from "./index.ts";

const big = new TextEncoder().encode("0123456789abcdef".repeat(600_000));
const tar = concatBytes([
  tarOf([
    { path: "bin/", type: "directory" },
    { path: "bin/tool", data: "first words" },
    { path: "big", data: big },
    { path: `${"long/".repeat(40)}name`, data: "x" },
  ]),
  tarEnd,
]);

async function packed(length = 100_003) {
  const made = estargz(pieces(tar, length));
  return { blob: await gathered(made.data), ...made.facts() };
}

interface TocEntry {
  readonly name: string;
  readonly type: string;
  readonly size?: number;
  readonly offset?: number;
  readonly chunkOffset?: number;
  readonly chunkSize?: number;
  readonly chunkDigest?: string;
  readonly digest?: string;
}

/** Found from the end, as those do who have nothing but the blob. */
function tocOf(blob: Uint8Array): { readonly text: Uint8Array; readonly entries: TocEntry[] } {
  const footer = blob.subarray(-51);
  const at = Number.parseInt(new TextDecoder().decode(footer.subarray(16, 32)), 16);
  const entry = gunzipSync(blob.subarray(at));
  const size = Number.parseInt(new TextDecoder().decode(entry.subarray(124, 135)), 8);
  const text = entry.subarray(512, 512 + size);
  return { text, entries: JSON.parse(new TextDecoder().decode(text)).entries };
}

describe("an eStargz layer", () => {
  it("unpacks to the tar, byte for byte, and the table after its end", async () => {
    const { blob, diffId, uncompressedSize } = await packed();
    const plain = gunzipSync(blob);
    expect(digestOf(plain.subarray(0, tar.length))).toBe(digestOf(tar));
    expect(digestOf(plain)).toBe(diffId);
    expect(plain).toHaveLength(uncompressedSize);
  });

  it("has a table whose digest is told, in which every file's bytes are found", async () => {
    const { blob, tocDigest } = await packed();
    const { text, entries } = tocOf(blob);
    expect(digestOf(text)).toBe(tocDigest);
    const chunks = entries.filter(({ offset }) => offset !== undefined);
    expect(chunks.length).toBe(5);
    for (const [index, chunk] of chunks.entries()) {
      const end = chunks[index + 1]?.offset ?? blob.length;
      const member = gunzipSync(blob.subarray(chunk.offset, end));
      const length = chunk.chunkSize ?? sizeOf(entries, chunk) - (chunk.chunkOffset ?? 0);
      expect(digestOf(member.subarray(0, length))).toBe(chunk.chunkDigest);
    }
    const whole = entries.find(({ name }) => name === "big");
    expect(whole).toMatchObject({ type: "reg", size: big.length, digest: digestOf(big) });
  });

  it("is the same however the tar comes, and another one at another level", async () => {
    const { blob } = await packed();
    expect(digestOf((await packed(7)).blob)).toBe(digestOf(blob));
    const other = await gathered(estargz(bytesOf(tar), { level: 1 }).data);
    expect(digestOf(other)).not.toBe(digestOf(blob));
  });

  it("is not made of half a tar", async () => {
    const cut = tar.subarray(0, 100_000);
    await expect(gathered(estargz(bytesOf(cut)).data)).rejects.toThrow("ends within a file");
  });
});

function sizeOf(entries: readonly TocEntry[], { name }: TocEntry): number {
  return entries.find((one) => one.name === name && one.type === "reg")?.size ?? 0;
}
