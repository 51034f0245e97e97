// Limits that come as attributes.
import { expect, it } from "vitest";
import { resourcesOf } from "./resources.ts";

it("attributes limit steps, and what the request says goes before them", () => {
  const attrs = {
    memory: "1024",
    memswap: "-1",
    cpushares: "512",
    cpuperiod: "100000",
    cpuquota: "50000",
    cpusetcpus: "0-2,4",
    cpusetmems: "0",
  };
  expect(resourcesOf(attrs, undefined)).toEqual({
    memory: 1024,
    memorySwap: -1,
    cpuShares: 512,
    cpuPeriod: 100000,
    cpuQuota: 50000,
    cpusetCpus: "0-2,4",
  });
  expect(resourcesOf(attrs, { memory: 7 })).toMatchObject({ memory: 7, cpuShares: 512 });
});

it("nothing said is no limit", () => {
  expect(resourcesOf({ memory: "0", cpuquota: "" }, undefined)).toBeUndefined();
});

it.each([{ memory: "2g" }, { cpushares: "-1" }, { cpusetcpus: "a" }, { cpuquota: "1.5" }])(
  "%j is refused",
  (attrs) => {
    expect(() => resourcesOf(attrs as Readonly<Record<string, string>>, undefined)).toThrow(
      /makes no sense/,
    );
  },
);
