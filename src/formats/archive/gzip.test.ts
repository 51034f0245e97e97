// Compression in parallel blocks: read back by others, the same whatever the chunks and the speed.
import { createHash, randomBytes } from "node:crypto";
import { gunzipSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { gathered, joined, pieces } from "../../../test/kit/tar.ts";
import { type Bytes, KilnError } from "../../base/index.ts";
import { decompress, detectCompression } from "./compression.ts";
import { gzip } from "./gzip.ts";

const text = (value: string) => new TextEncoder().encode(value);
/** Half noise, half repetition, several blocks long. */
const sample = joined([
  randomBytes(700_000),
  text("all work and no play ".repeat(60_000)),
  randomBytes(300_001),
]);
const sha256 = (data: Uint8Array) => createHash("sha256").update(data).digest("hex");

describe("gzip", () => {
  it.each([0, 1, 511, 512 * 1024, 512 * 1024 + 1, 2 * 512 * 1024])(
    "gives back %d bytes",
    async (size) => {
      const data = sample.subarray(0, size);
      expect(sha256(gunzipSync(await gathered(gzip(pieces(data, 100_000)))))).toBe(sha256(data));
    },
  );

  it.each([1, 6, 9])("gives the same bytes for any chunks at level %d", async (level) => {
    const one = await gathered(gzip(pieces(sample), { level }));
    const other = await gathered(gzip(pieces(sample, 33_333), { level }));
    expect(sha256(one)).toBe(sha256(other));
    expect(sha256(gunzipSync(one))).toBe(sha256(sample));
  });

  it("writes one member, with Go's header", async () => {
    const out = await gathered(gzip(pieces(sample)));
    expect([...out.subarray(0, 10)]).toEqual([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
  });

  it("compresses nearly as well as in one piece", async () => {
    const repetitive = text("kiln ".repeat(1_000_000));
    const parallel = await gathered(gzip(pieces(repetitive)));
    expect(parallel.length).toBeLessThan(gzipSync(repetitive).length * 1.1 + 200);
  });

  it("stores noise, which deflate cannot make smaller", async () => {
    const noise = randomBytes(3 * 512 * 1024 + 40_000);
    const out = await gathered(gzip(pieces(noise)));
    expect(sha256(gunzipSync(out))).toBe(sha256(noise));
    expect(out.length).toBeLessThanOrEqual(gzipSync(noise).length + 64);
  });

  it("refers to stored noise from the block after it", async () => {
    const noise = randomBytes(512 * 1024);
    const again = joined([noise, noise.subarray(noise.length - 30_000)]);
    const out = await gathered(gzip(pieces(again)));
    expect(sha256(gunzipSync(out))).toBe(sha256(again));
    expect(out.length).toBeLessThan(noise.length + 1000);
  });

  it("gives the same bytes at leisure", async () => {
    const usual = await gathered(gzip(pieces(sample)));
    let asked = 0;
    const slow = gzip(pieces(sample), { atLeisure: () => asked++ < 2 });
    expect(sha256(await gathered(slow))).toBe(sha256(usual));
    expect(asked).toBeGreaterThan(2);
  });

  it("passes on what the source throws", async () => {
    async function* broken(): Bytes {
      yield sample;
      throw new Error("gone");
    }
    await expect(gathered(gzip(broken()))).rejects.toThrow("gone");
  });
});

describe("decompress", () => {
  it.each([1, 7, 5000])("tells compressed from plain, in pieces of %d", async (size) => {
    const data = text("some text ".repeat(100));
    expect(await gathered(decompress(pieces(gzipSync(data), size), "it"))).toEqual(data);
    expect(await gathered(decompress(pieces(data, size), "it"))).toEqual(data);
  });

  it("takes short and empty streams for plain", async () => {
    expect(await gathered(decompress(pieces(new Uint8Array()), "it"))).toHaveLength(0);
    expect(await gathered(decompress(pieces(text("abc"), 1), "it"))).toEqual(text("abc"));
  });

  it("reads several members in a row", async () => {
    const both = joined([gzipSync(text("one ")), gzipSync(text("two"))]);
    expect(await gathered(decompress(pieces(both, 10), "it"))).toEqual(text("one two"));
  });

  it.each([
    ["gzip", [0x1f, 0x8b, 8, 0]],
    ["zstd", [0x28, 0xb5, 0x2f, 0xfd]],
    ["zstd", [0x5a, 0x2a, 0x4d, 0x18]],
    ["bzip2", [0x42, 0x5a, 0x68, 0x39]],
    ["xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]],
    ["none", [0x42, 0x5a]],
    ["none", []],
  ])("detects %s", (expected, start) => {
    expect(detectCompression(Uint8Array.from(start))).toBe(expected);
  });

  it("says what it cannot read, and what to do", async () => {
    const error = await gathered(
      decompress(pieces(Uint8Array.from([0x42, 0x5a, 0x68, 0x39, 0, 0, 0])), "layer x"),
    ).catch((found: unknown) => found);
    expect(error).toMatchObject({ code: "UNSUPPORTED", hint: expect.stringContaining("gzip") });
    expect((error as Error).message).toContain("layer x");
  });

  it("closes the source when the reader leaves early", async () => {
    let closed = false;
    async function* source(): Bytes {
      try {
        yield gzipSync(sample);
      } finally {
        closed = true;
      }
    }
    for await (const chunk of decompress(source(), "it")) {
      expect(chunk.length).toBeGreaterThan(0);
      break;
    }
    expect(closed).toBe(true);
  });

  it("passes on what the source throws", async () => {
    const packed = gzipSync(sample);
    async function* broken(): Bytes {
      yield packed.subarray(0, 1000);
      throw new KilnError("BLOB_CORRUPT", "not what was promised");
    }
    await expect(gathered(decompress(broken(), "it"))).rejects.toMatchObject({
      code: "BLOB_CORRUPT",
    });
  });
});

describe("hostile streams", () => {
  it("a bomb is stopped soon", async () => {
    const bomb = gzipSync(new Uint8Array(50_000_000));
    let seen = 0;
    const reading = (async () => {
      for await (const chunk of decompress(pieces(bomb, 4096), "it", {
        bytes: 1e12,
        ratio: 100,
        slack: 1_000_000,
      }))
        seen += chunk.length;
    })();
    await expect(reading).rejects.toMatchObject({ code: "ARCHIVE_INVALID" });
    expect(seen).toBeLessThan(6_000_000);
  });

  it("more bytes than allowed are refused", async () => {
    const packed = gzipSync(sample);
    const reading = gathered(
      decompress(pieces(packed), "it", { bytes: 500_000, ratio: 100, slack: 1e9 }),
    );
    await expect(reading).rejects.toMatchObject({ code: "ARCHIVE_INVALID" });
  });

  it("a cut stream is refused", async () => {
    const packed = gzipSync(sample);
    await expect(
      gathered(decompress(pieces(packed.subarray(0, packed.length - 20), 10_000), "it")),
    ).rejects.toMatchObject({ code: "ARCHIVE_INVALID" });
  });

  it("any damage is refused, or harmless", async () => {
    const data = text("precious data ".repeat(200));
    const packed = gzipSync(data);
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 3, max: packed.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        async (at, flip) => {
          const spoilt = Uint8Array.from(packed);
          spoilt[at] = (spoilt[at] ?? 0) ^ flip;
          const result = await gathered(decompress(pieces(spoilt), "it")).catch(
            (error: unknown) => error,
          );
          if (result instanceof Uint8Array) expect(result).toEqual(data);
          else expect(result).toMatchObject({ code: "ARCHIVE_INVALID" });
        },
      ),
      { numRuns: 200 },
    );
  });
});
