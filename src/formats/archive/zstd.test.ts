// Zstandard: what is packed comes back, whoever packed it; damage is told.
import { describe, expect, it } from "vitest";
import { gathered, pieces } from "../../../test/kit/tar.ts";
import { bytesOf, digestOf } from "../../base/index.ts";
import { decompress, hasZstd, zstd } from "./index.ts";

const text = "some words that come again and again, with a number. ";
const data = new TextEncoder().encode(
  Array.from({ length: 200_000 }, (_, index) => `${text}${index}\n`).join(""),
);

describe.runIf(hasZstd())("zstd", () => {
  it("gives back what went in, over several frames", async () => {
    const packed = await gathered(zstd(pieces(data, 100_000)));
    expect(packed.length).toBeLessThan(data.length / 4);
    expect(digestOf(await gathered(decompress(pieces(packed, 4099), "layer")))).toBe(
      digestOf(data),
    );
  });

  it("makes the same bytes however it is fed, and other ones at another level", async () => {
    const packed = await gathered(zstd(pieces(data, 1_000_003)));
    expect(digestOf(await gathered(zstd(bytesOf(data), { atLeisure: () => true })))).toBe(
      digestOf(packed),
    );
    expect(digestOf(await gathered(zstd(bytesOf(data), { level: 9 })))).not.toBe(digestOf(packed));
  });

  it("makes a frame of nothing", async () => {
    const packed = await gathered(zstd(bytesOf(new Uint8Array(0))));
    expect([...packed.subarray(0, 4)]).toEqual([0x28, 0xb5, 0x2f, 0xfd]);
    expect(await gathered(decompress(bytesOf(packed), "layer"))).toHaveLength(0);
  });

  it("tells damage and a missing end", async () => {
    const packed = await gathered(zstd(bytesOf(data.subarray(0, 100_000))));
    const cut = packed.subarray(0, packed.length - 3);
    await expect(gathered(decompress(bytesOf(cut), "layer"))).rejects.toThrow("layer is damaged");
    const bad = Uint8Array.from(packed).fill(0x55, 20, 60);
    await expect(gathered(decompress(bytesOf(bad), "layer"))).rejects.toThrow("layer is damaged");
  });
});
