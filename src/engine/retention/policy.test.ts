// Sizes and times as buildkitd.toml writes them, and the rules that hold where nothing is set.
import { expect, it } from "vitest";
import { bytesOfSpace, defaultPolicies, parseKeepDuration, parseSpace } from "./policy.ts";

const sizes: [unknown, unknown][] = [
  [1000, { bytes: 1000 }],
  ["512", { bytes: 512 }],
  ["10%", { percent: 10 }],
  ["101%", undefined],
  ["much", undefined],
  [-1, undefined],
  [true, undefined],
];
it.each(sizes)("reads %j", (text, expected) => {
  expect(parseSpace(text)).toEqual(expected);
});

const times: [unknown, number | undefined][] = [
  [10, 10_000],
  ["48h", 172_800_000],
  ["soon", undefined],
  [-1, undefined],
];
it.each(times)("keeps for %j", (text, expected) => {
  expect(parseKeepDuration(text)).toBe(expected);
});

it("takes parts of the disk, up to the reference's amounts", () => {
  const last = (disk: number) => defaultPolicies({}, disk).at(-1);
  expect(last(1e12)).toEqual({
    all: true,
    reservedSpace: { bytes: 10e9 },
    maxUsedSpace: { bytes: 100e9 },
    minFreeSpace: { bytes: 200e9 },
  });
  expect(last(50e9)?.maxUsedSpace).toEqual({ bytes: 40e9 });
  expect(defaultPolicies({ maxUsedSpace: { percent: 50 } }, 1e12)[2]?.maxUsedSpace).toEqual({
    percent: 50,
  });
  expect(bytesOfSpace({ percent: 50 }, 300)).toBe(150);
});
