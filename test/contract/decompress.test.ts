// Decompression through programs: what comes out, and what happens with damage, bombs, and where the program is missing.
import { Buffer } from "node:buffer";
import { execFileSync, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { bytesOf, uncancelled } from "../../src/base/index.ts";
import { expand } from "../../src/engine/ops/file/decompress.ts";
import { bunzip2, type Compression, hasZstd, unxz, zstd } from "../../src/formats/archive/index.ts";
import { gathered as gather, joined, pieces } from "../kit/tar.ts";

const programs: readonly Compression[] = ["gzip", "xz", "bzip2", "zstd"];
const there = programs.filter((name) => spawnSync(name, ["--version"]).status === 0);
for (const name of programs.filter((one) => !there.includes(one)))
  console.warn(`skipped: ${name} is not installed`);

const { PATH } = process.env;
const compressed = (program: string, data: Uint8Array | string, ...args: readonly string[]) =>
  execFileSync(program, ["-c", ...args], { input: data, maxBuffer: 1 << 30, env: { PATH } });

afterEach(() => {
  process.env["PATH"] = PATH;
});

/** Compressions, and whether the program may be used. */
const ways = [
  ...there.map((name) => ({ name, path: PATH, how: "" })),
  ...there
    .filter((name) => name === "xz" || name === "bzip2")
    .map((name) => ({ name, path: "/nowhere", how: " without the program" })),
];

async function gathered(data: AsyncIterable<Uint8Array>): Promise<number> {
  let size = 0;
  for await (const chunk of data) size += chunk.length;
  return size;
}

describe.each(ways)("$name$how", ({ name, path }) => {
  beforeEach(() => {
    process.env["PATH"] = path;
  });

  it("gives what went in", async () => {
    const decoder = new TextDecoder();
    let out = "";
    const data = compressed(name, "hello ".repeat(100_000));
    for await (const chunk of expand(bytesOf(data), name, "x", uncancelled))
      out += decoder.decode(chunk, { stream: true });
    expect(out).toBe("hello ".repeat(100_000));
  });

  it("stops when its reader has enough, however much is left", async () => {
    const endless = async function* () {
      const data = compressed(name, new Uint8Array(1 << 20));
      for (;;) yield data;
    };
    for await (const chunk of expand(endless(), name, "x", uncancelled)) {
      expect(chunk.length).toBeGreaterThan(0);
      break;
    }
  });

  it("calls damage by its name", async () => {
    const data = compressed(name, "hello ".repeat(1000));
    const cut = expand(bytesOf(data.subarray(0, data.length - 9)), name, "a.tar", uncancelled);
    await expect(gathered(cut)).rejects.toMatchObject({
      code: "ARCHIVE_INVALID",
      message: expect.stringContaining("a.tar is damaged"),
    });
  });

  it("passes on what its source throws", async () => {
    const failing = async function* () {
      yield compressed(name, "hello").subarray(0, 8);
      throw new Error("the disk is gone");
    };
    await expect(gathered(expand(failing(), name, "x", uncancelled))).rejects.toThrow(
      "the disk is gone",
    );
  });

  it("ends when it is cancelled", async () => {
    const controller = new AbortController();
    const endless = async function* () {
      const data = compressed(name, new Uint8Array(1 << 20));
      for (;;) {
        await new Promise((wait) => setTimeout(wait, 1));
        yield data;
      }
    };
    setTimeout(() => controller.abort(new Error("enough")), 50);
    const call = { signal: controller.signal };
    const reading = async () => {
      for await (const _ of expand(endless(), name, "x", call)) controller.signal.throwIfAborted();
    };
    await expect(reading()).rejects.toThrow("enough");
  });
});

describe.each(ways.filter(({ name }) => name !== "gzip"))(
  "a bomb of $name$how",
  ({ name, path }) => {
    beforeEach(() => {
      process.env["PATH"] = path;
    });

    it("is stopped long before it is spent", async () => {
      const bomb = compressed(name, new Uint8Array(64 << 20));
      const limits = { bytes: 1 << 30, ratio: 10, slack: 1 << 20 };
      const data = expand(bytesOf(bomb), name, "bomb", uncancelled, limits);
      let size = 0;
      const read = async () => {
        for await (const chunk of data) size += chunk.length;
      };
      await expect(read()).rejects.toMatchObject({
        code: "ARCHIVE_INVALID",
        message: expect.stringContaining("bomb expands to far more than its size"),
      });
      expect(size).toBeLessThan(4 << 20);
    });
  },
);

describe("a missing program", () => {
  it("is not missed for zstd where Node or the system's library can read it", async (context) => {
    if (!hasZstd()) context.skip("neither Node 22.15 nor libzstd");
    const data = await gather(zstd(bytesOf(new TextEncoder().encode("hello ".repeat(1000)))));
    process.env["PATH"] = "/nowhere";
    expect(await gathered(expand(bytesOf(data), "zstd", "x", uncancelled))).toBe(6000);
  });

  it("is named, with the package that has it, where nothing else reads the archive", async () => {
    const data = compressed("xz", "hello ".repeat(1000), "--x86", "--lzma2=dict=1MiB");
    process.env["PATH"] = "/nowhere";
    const read = gathered(expand(bytesOf(data), "xz", "a.tar.xz", uncancelled));
    await expect(read).rejects.toMatchObject({
      code: "UNSUPPORTED",
      message: "a.tar.xz is packed in a way that only xz itself can read",
      hint: expect.stringContaining("apt-get install xz-utils"),
    });
  });
});

describe.each(["xz", "bzip2"] as const)("%s in this process", (name) => {
  const read = (data: Uint8Array, size = 1000) => gather(decoders[name](pieces(data, size), "x"));
  const decoders = { xz: unxz, bzip2: bunzip2 };
  const noise = new Uint8Array(randomBytes(2_500_000));
  const text = new TextEncoder().encode("abcabcabcd".repeat(200_000));

  it.each([
    ["nothing", new Uint8Array()],
    ["a byte", Uint8Array.of(7)],
    ["runs of all lengths", Uint8Array.from({ length: 70_000 }, (_, at) => Math.sqrt(at))],
    ["zeros", new Uint8Array(3_000_000)],
    ["text", text],
    ["noise", noise],
  ])("gives back %s", async (_, data) => {
    for (const level of ["-1", "-9"])
      expect(sameBytes(await read(compressed(name, data, level)), data)).toBe(true);
  });

  it("reads several streams as one", async () => {
    const parts = ["one", "", "three"].map((part) => compressed(name, part));
    expect(new TextDecoder().decode(await read(joined(parts), 7))).toBe("onethree");
  });

  it("takes no changed or shortened data for right", async () => {
    const good = compressed(name, text.subarray(0, 30_000));
    for (let round = 0; round < 200; round++) {
      const bad = Uint8Array.from(good);
      const at = Math.floor(Math.random() * good.length);
      bad[at] = (bad[at] ?? 0) ^ (1 << Math.floor(Math.random() * 8));
      const tried = round % 2 === 0 ? bad : good.subarray(0, at);
      const found = await read(tried).catch((error: unknown) => error);
      if (found instanceof Uint8Array)
        expect(sameBytes(found, text.subarray(0, 30_000))).toBe(true);
      else
        expect(found).toMatchObject({
          code: expect.stringMatching(/^(ARCHIVE_INVALID|UNSUPPORTED)$/),
        });
    }
  });
});

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}
