// What builds leave to be looked at, as items.
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { buildItems } from "./builds.ts";
import { originsItem } from "./notes.ts";
import type { UsageParts } from "./parts.ts";

const now = new Date("2026-01-10T00:00:00Z");
let directory: string;
let parts: UsageParts;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "kiln-builds-"));
  const at = (name: string) => join(directory, name);
  parts = {
    builds: { history: at("history"), logs: at("logs") },
    origins: at("origins"),
    now: () => now,
  } as unknown as UsageParts;
});
afterEach(() => rmSync(directory, { recursive: true }));

const put = (path: string, text: string, day = 9) => {
  const file = join(directory, path);
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(file, text);
  const time = new Date(Date.UTC(2026, 0, day));
  utimesSync(file, time, time);
  utimesSync(join(file, ".."), time, time);
};
const one = async () => 1;

it("a build's record and logs are one item, of the time of the newer", async () => {
  put("history/a/record.json", '{"pinned":false}', 5);
  put("logs/a/1-run.log", "words", 6);
  const [item, ...more] = await buildItems(parts, one);
  expect(more).toEqual([]);
  expect(item?.record).toMatchObject({ id: "build-a", type: "history", size: 2, inUse: false });
  expect(item?.record.lastUsedAt?.getUTCDate()).toBe(6);
  expect(item?.what).toEqual({
    kind: "build",
    paths: [join(directory, "history/a"), join(directory, "logs/a")],
  });
});

it("pinned records, and builds that may still run, count as used", async () => {
  put("history/pinned/record.json", '{"pinned":true}');
  put("history/damaged/record.json", "{");
  put("history/running/status", "");
  put("history/killed/status", "", 2);
  utimesSync(join(directory, "history/running"), now, now);
  const items = await buildItems(parts, one);
  const used = items.filter(({ record }) => record.inUse).map(({ record }) => record.id);
  expect(used.sort()).toEqual(["build-pinned", "build-running"]);
});

it("of origins only those go that belong to nothing, and are no running build's", async () => {
  put("origins/aa/aa11", "docker.io/library/a\n", 8);
  put("origins/bb/bb22", "docker.io/library/b\n", 8);
  put("origins/cc/cc33", "docker.io/library/c\n", 10);
  const item = await originsItem(parts, (hex) => hex === "aa11", one);
  expect(item?.what).toMatchObject({ paths: [join(directory, "origins/bb/bb22")] });
  expect(await originsItem(parts, () => true, one)).toBeUndefined();
});

it("a store without any has none", async () => {
  expect(await buildItems(parts, one)).toEqual([]);
  expect(await originsItem(parts, () => false, one)).toBeUndefined();
});
