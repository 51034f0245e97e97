// Threads that deflate: the same bytes with and without them, several streams at once, and none that keeps a process alive.
import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { gathered, joined, pieces } from "../../../test/kit/tar.ts";
import { DeflateThreads, type OwnedBlock } from "./deflate-threads.ts";
import { gzip } from "./gzip.ts";
import { packBlock } from "./pack-block.ts";

/** A text of words in no order. */
function prose(length: number): Uint8Array {
  const noise = randomBytes(length);
  const words = Array.from(noise, (byte) => vocabulary[byte] ?? "");
  return new TextEncoder().encode(words.join(" ")).subarray(0, length);
}
const vocabulary = Array.from({ length: 256 }, (_, index) =>
  createHash("sha256")
    .update(`${index}`)
    .digest("base64url")
    .slice(0, 2 + (index % 9)),
);

const sha256 = (data: Uint8Array) => createHash("sha256").update(data).digest("hex");

/** 16 KiB of noise and of text in turn. */
function mixed(length: number): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < length; at += 32 * 1024) {
    parts.push(randomBytes(16 * 1024));
    parts.push(prose(16 * 1024));
  }
  return joined(parts).subarray(0, length);
}

describe("threads that deflate", () => {
  it("give what one thread alone gives, in any order of asking, and the memory back", async () => {
    const threads = new DeflateThreads();
    const data = mixed(6 * 1024 * 1024);
    const blocks = Array.from({ length: 12 }, (_, index): OwnedBlock => {
      const window = new Uint8Array(data.subarray(index * 512 * 1024, (index + 1) * 512 * 1024));
      return { window, start: index === 0 ? 0 : 32 * 1024 };
    });
    const alone = blocks.map((block) => packBlock(block, 6));
    const together = await Promise.all(blocks.map((block) => threads.pack(block, 6)));
    expect(together.map(({ packed }) => sha256(packed))).toEqual(alone.map(sha256));
    expect(together.every(({ window }) => window.length === 512 * 1024)).toBe(true);
  });

  it("serve several streams at once", async () => {
    const data = [mixed(3_000_000), mixed(2_500_001), mixed(1_700_003)];
    const packed = await Promise.all(data.map((one) => gathered(gzip(pieces(one, 77_777)))));
    expect(packed.map((one) => sha256(gunzipSync(one)))).toEqual(data.map(sha256));
  });

  it("pack what is mixed with noise smaller than gzip does", async () => {
    const data = mixed(2 * 1024 * 1024);
    const packed = await gathered(gzip(pieces(data)));
    expect(packed.length).toBeLessThan(gzipSync(data).length);
  });

  it("do not keep a process alive, nor does a stream that was left in its middle", () => {
    const program = `
      import { gzip } from ${JSON.stringify(join(import.meta.dirname, "gzip.ts"))};
      async function* data() { for (;;) yield new Uint8Array(600_000).fill(7); }
      let count = 0;
      for await (const chunk of gzip(data())) if (count++ > 20) break;
      process.stdout.write("left");
    `;
    const argv = ["--import", "tsx", "--input-type=module", "--eval", program];
    expect(execFileSync(process.execPath, argv, { timeout: 25_000, encoding: "utf8" })).toBe(
      "left",
    );
  });
});
