// What counts as noise, and what only nearly looks like it.
import { randomBytes } from "node:crypto";
import { deflateRawSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { joined } from "../../../test/kit/tar.ts";
import { findNoise } from "./noise.ts";

const text = (length: number) =>
  new TextEncoder().encode("all work and no play ".repeat(length)).subarray(0, length);
const noiseIn = (data: Uint8Array) =>
  findNoise(data).reduce((sum, { start, end, noise }) => sum + (noise ? end - start : 0), 0);

describe("noise", () => {
  it("covers all data in segments, each beginning where the one before ended", () => {
    const data = joined([
      text(10_001),
      randomBytes(40_000),
      text(3),
      randomBytes(9000),
      text(70_000),
    ]);
    let at = 0;
    for (const { start, end } of findNoise(data)) {
      expect(start).toBe(at);
      expect(end).toBeGreaterThan(start);
      at = end;
    }
    expect(at).toBe(data.length);
  });

  it("is found between other things, wherever it begins", () => {
    for (const before of [0, 1, 1000, 5000]) {
      const data = joined([text(before), randomBytes(20_000), text(20_000), randomBytes(20_000)]);
      expect(noiseIn(data)).toBeGreaterThan(30_000);
      expect(noiseIn(data)).toBeLessThanOrEqual(40_000);
    }
  });

  it("is what was compressed before", () => {
    const words = Uint8Array.from(randomBytes(400_000), (byte) => 97 + (byte % 23));
    const packed = deflateRawSync(words, { level: 9 });
    expect(noiseIn(packed)).toBeGreaterThan(packed.length * 0.7);
  });

  it("is nothing that deflate makes smaller", () => {
    const counting = Uint8Array.from({ length: 100_000 }, (_, at) => at % 256);
    const letters = new TextEncoder().encode(randomBytes(100_000).toString("base64"));
    const lowBits = Uint8Array.from(randomBytes(100_000), (byte) => byte & 0x7f);
    for (const data of [text(100_000), new Uint8Array(100_000), counting, letters, lowBits]) {
      expect(noiseIn(data)).toBe(0);
    }
  });

  it("is not what comes again within deflate's window", () => {
    const some = randomBytes(20_000);
    const data = joined(Array.from({ length: 20 }, () => some));
    expect(noiseIn(data)).toBeLessThan(40_000);
  });

  it("is not worth a segment of its own when it is short", () => {
    expect(noiseIn(joined([text(4096), randomBytes(4096), text(4096)]))).toBe(0);
  });
});
