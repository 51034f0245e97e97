// Layers as gzip, as they are, and as zstd where Node has it.
import { expect, test } from "vitest";
import { gathered, pieces } from "../../../../test/kit/tar.ts";
import { type Bytes, digestOf, isKilnError } from "../../../base/index.ts";
import { decompress } from "../../../formats/archive/index.ts";
import { checkCompression, compress } from "./compress.ts";

const data = new TextEncoder().encode("some words that come again and again. ".repeat(20_000));

function refusal(): unknown {
  try {
    checkCompression("zstd");
    return undefined;
  } catch (error) {
    return error;
  }
}
const missing = refusal();

for (const compression of ["none", "gzip"] as const) {
  test(`${compression} gives back what went in`, async () => {
    const packed = await gathered(compress(pieces(data, 10_000), compression, undefined));
    expect(digestOf(await gathered(decompress(pieces(packed), "layer")))).toBe(digestOf(data));
  });
}

test("zstd gives back what went in, the same bytes each time, or is refused with a way out", async () => {
  if (missing !== undefined) {
    expect(isKilnError(missing, "UNSUPPORTED")).toBe(true);
    expect(missing).toMatchObject({ hint: expect.stringContaining("gzip") });
    return;
  }
  const packed = await gathered(compress(pieces(data, 10_000), "zstd", undefined));
  expect([...packed.subarray(0, 4)]).toEqual([0x28, 0xb5, 0x2f, 0xfd]);
  expect(await gathered(compress(pieces(data, 77_777), "zstd", 3))).toEqual(packed);
  expect(digestOf(await gathered(decompress(pieces(packed), "layer")))).toBe(digestOf(data));
});

const available = ["none", "gzip", ...(missing === undefined ? (["zstd"] as const) : [])] as const;
for (const compression of available) {
  test(`${compression} passes on what the source throws`, async () => {
    async function* broken(): Bytes {
      yield data;
      throw new Error("gone");
    }
    await expect(gathered(compress(broken(), compression, undefined))).rejects.toThrow("gone");
  });
}
