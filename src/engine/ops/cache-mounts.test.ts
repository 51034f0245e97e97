import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { uncancelled } from "../../base/index.ts";
import type { ExecMount } from "../../formats/llb/index.ts";
import { openKept } from "../../storage/kept/index.ts";
import { type CacheMount, type CacheMounts, openCacheMounts, sharingOf } from "./cache-mounts.ts";

let directory: string;
let mounts: CacheMounts;
/** What another process would have. */
let elsewhere: CacheMounts;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "kiln-cache-mounts-"));
  mounts = openCacheMounts(openKept(directory));
  elsewhere = openCacheMounts(openKept(directory));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const amd64 = { os: "linux", architecture: "amd64" };
const arm64 = { os: "linux", architecture: "arm64" };
type Sharing = "shared" | "private" | "locked";
const cache = (id: string, sharing: Sharing = "shared", target = "/c") => ({
  mount: { target, selector: "", cache: { id, sharing } } as ExecMount,
  base: undefined,
});
const hold = (from: CacheMounts, ...wanted: CacheMount[]) =>
  from.hold(wanted, amd64, () => {}, uncancelled);
const isPending = async (work: Promise<unknown>) =>
  (await Promise.race([work, new Promise((done) => setTimeout(() => done("pending"), 60))])) ===
  "pending";

it("keeps one directory for an id and a platform", async () => {
  await using one = await hold(mounts, cache("a"));
  await using again = await hold(elsewhere, cache("a"));
  await using other = await hold(mounts, cache("b"));
  await using foreign = await mounts.hold([cache("a")], arm64, () => {}, uncancelled);
  expect(again.paths).toEqual(one.paths);
  expect(other.paths).not.toEqual(one.paths);
  expect(foreign.paths).not.toEqual(one.paths);
});

it.each(["../../etc", "/", "", "a\0b", ".locks", "%2e%2e/x"])(
  "makes no path of the id %j",
  async (id) => {
    await using held = await hold(mounts, cache(id));
    expect(held.paths[0]).toMatch(/^[^\0]*\/[0-9a-f]{32}$/);
    expect(held.paths[0]?.startsWith(`${directory}/`)).toBe(true);
  },
);

it.each([
  ["locked", "locked"],
  ["locked", "shared"],
  ["shared", "locked"],
] as const)("a %s directory is waited for by a %s one, in any process", async (first, second) => {
  const one = await hold(mounts, cache("a", first));
  const said: string[] = [];
  const next = elsewhere.hold([cache("a", second)], amd64, (what) => said.push(what), uncancelled);
  expect(await isPending(next)).toBe(true);
  expect(said).toEqual(["waiting for the cache mount /c, which another step uses"]);
  await one[Symbol.asyncDispose]();
  await using held = await next;
  expect(held.paths).toEqual(one.paths);
});

it("gives each user of a private directory one of its own, and free ones again", async () => {
  const one = await hold(mounts, cache("a", "private"));
  await using two = await hold(elsewhere, cache("a", "private"));
  expect(two.paths).not.toEqual(one.paths);
  writeFileSync(join(one.paths[0] ?? "", "mark"), "");
  await one[Symbol.asyncDispose]();
  await using three = await hold(mounts, cache("a", "private"));
  expect(existsSync(join(three.paths[0] ?? "", "mark"))).toBe(true);
});

it("does not wait for itself, whatever order mounts come in", async () => {
  const [a, b] = [cache("a", "locked", "/x"), cache("b", "locked", "/y")];
  await using twice = await hold(mounts, a, cache("a", "locked", "/z"));
  expect(twice.paths[0]).toBe(twice.paths[1]);
  await twice[Symbol.asyncDispose]();
  for (let round = 0; round < 20; round++) {
    const held = [hold(mounts, a, b), hold(elsewhere, b, a)].map(async (one) => {
      await using got = await one;
      expect(got.paths).toHaveLength(2);
    });
    await Promise.all(held);
  }
});

it("stops waiting when it is cancelled", async () => {
  await using _one = await hold(mounts, cache("a", "locked"));
  const controller = new AbortController();
  const next = mounts.hold([cache("a", "locked")], amd64, () => controller.abort(), controller);
  await expect(next).rejects.toThrow();
  await _one[Symbol.asyncDispose]();
  await using free = await hold(mounts, cache("a", "locked"));
  expect(free.paths).toHaveLength(1);
});

it("locks the directories of package managers that cannot share them", () => {
  const at = (target: string, sharing: Sharing) => sharingOf(cache("", sharing, target).mount);
  expect(at("/var/cache/apt", "shared")).toBe("locked");
  expect(at("/var/lib/apt", "private")).toBe("private");
  expect(at("/root/.cache/go-build", "shared")).toBe("shared");
});

it("begins anew, once, for a build that ignores what is cached", async () => {
  const marked = async (anewFor?: object) => {
    await using held = await hold(mounts, { ...cache("a"), ...(anewFor ? { anewFor } : {}) });
    const mark = join(held.paths[0] ?? "", "mark");
    const was = existsSync(mark);
    writeFileSync(mark, "");
    return was;
  };
  const build = {};
  expect(await marked()).toBe(false);
  expect(await marked()).toBe(true);
  expect(await marked(build)).toBe(false);
  expect(await marked(build)).toBe(true);
  expect(await marked({})).toBe(false);
});

it("what another step uses does not begin anew", async () => {
  await using other = await hold(elsewhere, cache("a"));
  const mark = join(other.paths[0] ?? "", "mark");
  writeFileSync(mark, "");
  await using _ = await hold(mounts, { ...cache("a"), anewFor: {} });
  expect(existsSync(mark)).toBe(true);
});
