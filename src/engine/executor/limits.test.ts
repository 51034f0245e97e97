import { expect, it } from "vitest";
import { limitedCommand, limitSettings } from "./limits.ts";

const all = {
  memory: 1000,
  memorySwap: 3000,
  cpuShares: 1024,
  cpuPeriod: 50_000,
  cpuQuota: 25_000,
  cpusetCpus: "0-1",
  cpusetMems: "0",
};
const lines = (version: 1 | 2, limits: Parameters<typeof limitSettings>[0] = all) =>
  limitSettings(limits, version).map(({ file, value }) => `${file} ${value}`);

it("writes limits in the words of either version", () => {
  expect(lines(1)).toEqual([
    "memory.limit_in_bytes 1000",
    "memory.memsw.limit_in_bytes 3000",
    "cpu.shares 1024",
    "cpu.cfs_period_us 50000",
    "cpu.cfs_quota_us 25000",
    "cpuset.cpus 0-1",
    "cpuset.mems 0",
  ]);
  expect(lines(2)).toEqual([
    "memory.max 1000",
    "memory.swap.max 2000",
    "cpu.weight 39",
    "cpu.max 25000 50000",
    "cpuset.cpus 0-1",
    "cpuset.mems 0",
  ]);
});

it("leaves alone what is not limited", () => {
  expect(lines(1, {})).toEqual([]);
  expect(lines(2, { cpuQuota: 10 })).toEqual(["cpu.max 10 100000"]);
  expect(lines(2, { memorySwap: -1 })).toEqual(["memory.swap.max max"]);
});

it("puts nothing before a command that has no limits", () => {
  expect(limitedCommand(["crun", "run"], [])).toEqual(["crun", "run"]);
  expect(limitedCommand(["crun", "run"], ["/g/cgroup.procs"]).slice(4)).toEqual([
    "/g/cgroup.procs",
    "--",
    "crun",
    "run",
  ]);
});
