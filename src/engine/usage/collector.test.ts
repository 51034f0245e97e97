// When the store is counted without being asked: near its limit whenever there is something new, far from it hardly ever.
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { uncancelled } from "../../base/index.ts";
import { createCollector } from "./collector.ts";
import type { UsageParts } from "./parts.ts";
import { diskSpace } from "./prune.ts";

const now = new Date();
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "kiln-collector-"));
  mkdirSync(join(root, "layers"));
});
afterEach(() => rmSync(root, { recursive: true }));

/** A collector of 5 GiB at most, given what the last count found and how long ago something was added. */
function collectorAfter(last: { used: number; freed: number }, addedAgo: number) {
  let asked = 0;
  const parts = { root, grows: [join(root, "layers"), join(root, "absent")], now: () => now };
  // All else is asked for by who counts.
  const counting = new Proxy(parts as unknown as UsageParts, {
    get(target, name) {
      const known = Reflect.get(target, name) as unknown;
      if (known === undefined) asked++;
      return known;
    },
  });
  const { free } = diskSpace(root);
  // Others have freed space since: none seems to have been written here.
  const count = { at: now.getTime() - 60_000, used: last.used, free: free - last.freed };
  writeFileSync(join(root, "gc.json"), JSON.stringify(count));
  const added = new Date(now.getTime() - addedAgo);
  utimesSync(join(root, "layers"), added, added);
  const policies = [{ maxUsedSpace: { bytes: 5 * 1024 ** 3 }, all: true }];
  return { collector: createCollector(counting, { policies }), asked: () => asked };
}

/** Whether the store is counted again. */
async function counts(last: { used: number; freed: number }, addedAgo: number): Promise<boolean> {
  const { collector, asked } = collectorAfter(last, addedAgo);
  await collector.collect(uncancelled);
  return asked() > 0;
}

const gigabyte = 1024 ** 3;

it("counts near a limit when something was added, though others have freed as much", async () => {
  expect(await counts({ used: 4.5 * gigabyte, freed: gigabyte }, 1000)).toBe(true);
});

it("does not count when nothing was added", async () => {
  expect(await counts({ used: 4.5 * gigabyte, freed: gigabyte }, 120_000)).toBe(false);
});

it("does not count far from the limit", async () => {
  expect(await counts({ used: gigabyte, freed: gigabyte }, 1000)).toBe(false);
});

it("looks at the disk while a build runs, and no longer", async () => {
  const { collector, asked } = collectorAfter({ used: 6 * gigabyte, freed: 0 }, 1000);
  vi.useFakeTimers();
  try {
    const watching = collector.watch(uncancelled);
    expect(asked()).toBe(0);
    await vi.advanceTimersByTimeAsync(1000);
    const first = asked();
    expect(first).toBeGreaterThan(0);
    // It rests before it collects again.
    await vi.advanceTimersByTimeAsync(10_000);
    expect(asked()).toBe(first);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(asked()).toBeGreaterThan(first);
    const last = asked();
    await watching[Symbol.asyncDispose]();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked()).toBe(last);
  } finally {
    vi.useRealTimers();
  }
});
