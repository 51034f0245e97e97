import { expect, it } from "vitest";
import { parseResources } from "./step-limits.ts";

it("reads limits, several at once, and the last of a name counts", () => {
  expect(parseResources(["memory=1g,cpu-quota=50000", "cpuset-cpus=0-1,3,memory=512m"])).toEqual({
    memory: 512 * 1024 * 1024,
    cpuQuota: 50_000,
    cpusetCpus: "0-1,3",
  });
  expect(parseResources(["memory-swap=-1"])).toEqual({ memorySwap: -1 });
});

it.each([
  ["memory", "expected name=limit"],
  ["memory=lots", "expected a size"],
  ["memory=0", "expected a size"],
  ["cpu-quota=half", "expected a whole number"],
  ["cpuset-cpus=a", "expected numbers and ranges"],
  ["memmory=1g", "there is no limit"],
])("refuses %s", (value, why) => {
  expect(() => parseResources([value])).toThrow(why);
});
