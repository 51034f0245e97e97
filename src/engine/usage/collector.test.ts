// When the store is counted without being asked: near its limit whenever there is something new, far from it hardly ever.
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
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

/** Whether the store was counted again, given what the last count found and how long ago something was added. */
async function counts(last: { used: number; freed: number }, addedAgo: number): Promise<boolean> {
  let asked = false;
  const parts = {
    root,
    grows: [join(root, "layers"), join(root, "absent")],
    now: () => now,
  } as unknown as UsageParts;
  // All else is asked for by who counts.
  const inventory = new Proxy(parts, {
    get(target, name) {
      const known = Reflect.get(target, name) as unknown;
      if (known === undefined) asked = true;
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
  await createCollector(inventory, { policies } as never).collect(uncancelled);
  return asked;
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
