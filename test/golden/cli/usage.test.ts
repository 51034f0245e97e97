// kiln du and kiln prune: what is kept, and what went.
import { join } from "node:path";
import { expect, it } from "vitest";
import type { UsageRecord } from "../../../src/api/index.ts";
import { runKiln } from "./world.ts";

const record = (id: string, more: Partial<UsageRecord> = {}): UsageRecord => ({
  id,
  type: "regular",
  description: `mount / from exec ${id}`,
  size: 1_234_567,
  inUse: false,
  mutable: false,
  shared: false,
  createdAt: new Date(Date.UTC(2026, 0, 1)),
  usageCount: 3,
  parents: [],
  ...more,
});
const usage = [
  record("one", { lastUsedAt: new Date(Date.UTC(2026, 0, 1, 21)), parents: ["two"] }),
  record("two", { shared: true, size: 5 }),
  record("three", { inUse: true, mutable: true, type: "exec.cachemount" }),
];

const cases: [string, string[]][] = [
  ["du", ["du"]],
  ["du-pretty", ["du", "--verbose"]],
  ["du-json", ["du", "--format=json"]],
  ["du-filtered", ["du", "--filter", "inuse"]],
  ["du-template", ["du", "--format", "table {{.ID}}\\t{{.Size}}\\t{{upper .Type}}"]],
  ["prune", ["prune", "--force", "--all"]],
  ["prune-verbose", ["prune", "-f", "--verbose"]],
];
it.each(cases)("%s", async (name, argv) => {
  const { stdout, stderr, exitCode } = await runKiln(argv, { usage });
  expect([stderr, exitCode]).toEqual(["", 0]);
  await expect(stdout).toMatchFileSnapshot(join(import.meta.dirname, `${name}.txt`));
});
