// Decompression through programs: what comes out, and what happens with damage, bombs, and where the program is missing.
import { execFileSync, spawnSync } from "node:child_process";
import { afterEach, describe, expect, it } from "vitest";
import { bytesOf, uncancelled } from "../../src/base/index.ts";
import { expand } from "../../src/engine/ops/file/decompress.ts";
import { type Compression, hasZstd, zstd } from "../../src/formats/archive/index.ts";
import { gathered as gather } from "../kit/tar.ts";

const programs: readonly Compression[] = ["gzip", "xz", "bzip2", "zstd"];
const there = programs.filter((name) => spawnSync(name, ["--version"]).status === 0);
for (const name of programs.filter((one) => !there.includes(one)))
  console.warn(`skipped: ${name} is not installed`);

const compressed = (program: string, data: Uint8Array | string) =>
  execFileSync(program, ["-c"], { input: data, maxBuffer: 1 << 30 });

async function gathered(data: AsyncIterable<Uint8Array>): Promise<number> {
  let size = 0;
  for await (const chunk of data) size += chunk.length;
  return size;
}

describe.each(there)("%s", (name) => {
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

describe.each(there.filter((name) => name !== "gzip"))("a bomb of %s", (name) => {
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
});

describe("a missing program", () => {
  const { PATH } = process.env;
  afterEach(() => {
    process.env["PATH"] = PATH;
  });

  it("is not missed for zstd where Node or the system's library can read it", async (context) => {
    if (!hasZstd()) context.skip("neither Node 22.15 nor libzstd");
    const data = await gather(zstd(bytesOf(new TextEncoder().encode("hello ".repeat(1000)))));
    process.env["PATH"] = "/nowhere";
    expect(await gathered(expand(bytesOf(data), "zstd", "x", uncancelled))).toBe(6000);
  });

  it("is named, with the package that has it", async () => {
    process.env["PATH"] = "/nowhere";
    const data = expand(bytesOf(new Uint8Array(1 << 20)), "xz", "a.tar.xz", uncancelled);
    await expect(gathered(data)).rejects.toMatchObject({
      code: "PROGRAM_MISSING",
      message: "a.tar.xz cannot be unpacked: xz is not installed",
      hint: "Install it (apt-get install xz-utils), or use gzip.",
    });
  });
});
