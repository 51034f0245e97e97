// What every cache store promises the solver; what the one on disk promises besides.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { digestOf, uncancelled } from "../../src/base/index.ts";
import { openCacheStore } from "../../src/engine/cache/index.ts";
import {
  type CachedStep,
  type CacheEntry,
  type CacheLink,
  type CacheStore,
  createMemoryCacheStore,
  type ResultStorage,
} from "../../src/engine/solver/index.ts";
import { openMetadata } from "../../src/storage/metadata/index.ts";
import { cacheEntry, cacheStep, numbersById } from "../kit/cache-writer.ts";

let directory: string;
const closing: AsyncDisposable[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "kiln-cache-"));
});

afterEach(async () => {
  for (const one of closing.splice(0)) await one[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

const stores: readonly {
  readonly name: string;
  readonly open: (results: ResultStorage<number>) => Promise<CacheStore<number>>;
}[] = [
  { name: "in memory", open: async (results) => createMemoryCacheStore(results) },
  {
    name: "on disk",
    open: async (results) => {
      const metadata = await openMetadata(directory);
      closing.push(metadata);
      return openCacheStore({ metadata, results });
    },
  },
];

const link: CacheLink = { step: digestOf("step"), input: 0, output: 0 };
const step: CachedStep = { name: "step", vertex: digestOf("vertex"), step: link.step, output: 0 };
const at = (seconds: number) => new Date(seconds * 1000);
const entry = (key: string, from: readonly string[], time = at(1)): CacheEntry => ({
  key,
  links: from.map((one) => ({ from: one, link })),
  at: time,
});

describe.each(stores)("a cache store $name", ({ open }) => {
  it("knows nothing at first", async () => {
    const store = await open(numbersById());
    expect(await store.query("a", link, uncancelled)).toEqual([]);
    expect(await store.records("a", uncancelled)).toEqual([]);
  });

  it("finds a saved result by every way that leads to its key", async () => {
    const store = await open(numbersById());
    await store.save(entry("key", ["definition", "content"]), step, 7, uncancelled);
    for (const from of ["definition", "content"]) {
      const [key = ""] = await store.query(from, link, uncancelled);
      const [record] = await store.records(key, uncancelled);
      expect(record?.createdAt).toEqual(at(1));
      expect(record && (await store.load(record, uncancelled))).toEqual({ result: 7 });
    }
  });

  it("tells ways apart that differ in anything", async () => {
    const store = await open(numbersById());
    await store.save(entry("key", ["a"]), step, 7, uncancelled);
    const others: readonly CacheLink[] = [
      { ...link, step: digestOf("other") },
      { ...link, input: 1 },
      { ...link, input: 10 },
      { ...link, output: 1 },
      { ...link, selector: digestOf("/part") },
    ];
    for (const other of others) expect(await store.query("a", other, uncancelled)).toEqual([]);
    expect(await store.query("ab", link, uncancelled)).toEqual([]);
    expect(await store.query("", link, uncancelled)).toEqual([]);
  });

  it("names the latest linked key first", async () => {
    const store = await open(numbersById());
    await store.save(entry("old", ["a"], at(1)), step, 1, uncancelled);
    await store.save(entry("new", ["a"], at(2)), step, 2, uncancelled);
    expect(await store.query("a", link, uncancelled)).toEqual(["new", "old"]);
    await store.link(entry("old", ["a"], at(3)), uncancelled);
    expect(await store.query("a", link, uncancelled)).toEqual(["old", "new"]);
  });

  it("names the newest record first", async () => {
    const store = await open(numbersById());
    await store.save(entry("key", [], at(1)), step, 1, uncancelled);
    await store.save(entry("key", [], at(2)), step, 2, uncancelled);
    const records = await store.records("key", uncancelled);
    expect(records.map((record) => record.createdAt)).toEqual([at(2), at(1)]);
    expect(await store.load(records[0]!, uncancelled)).toEqual({ result: 2 });
    expect(await store.records("ke", uncancelled)).toEqual([]);
  });

  it("keeps the ways of a result that cannot be kept", async () => {
    const store = await open({ save: async () => undefined, load: async () => undefined });
    await store.save(entry("key", ["a"]), step, 1, uncancelled);
    expect(await store.query("a", link, uncancelled)).toEqual(["key"]);
    expect(await store.records("key", uncancelled)).toEqual([]);
  });

  it("says that a result has gone", async () => {
    const results = numbersById();
    const store = await open({ ...results, load: async () => undefined });
    await store.save(entry("key", ["a"]), step, 1, uncancelled);
    const [record] = await store.records("key", uncancelled);
    expect(record && (await store.load(record, uncancelled))).toBeUndefined();
  });

  it("saves all or nothing", async () => {
    const store = await open({
      ...numbersById(),
      save: async () => {
        throw new Error("disk full");
      },
    });
    await expect(store.save(entry("key", ["a"]), step, 1, uncancelled)).rejects.toThrow(
      "disk full",
    );
    expect(await store.query("a", link, uncancelled)).toEqual([]);
  });
});

describe("the cache store on disk", () => {
  const children: ChildProcess[] = [];

  afterEach(() => {
    for (const child of children.splice(0)) child.kill("SIGKILL");
  });

  const start = async (name: string) => {
    const program = join(import.meta.dirname, "../kit/cache-writer.ts");
    const child = fork(program, [directory, name], { execArgv: ["--import", "tsx"] });
    children.push(child);
    await once(child, "message");
    return child;
  };

  const checkSaved = async (store: CacheStore<number>, name: string, count: number) => {
    for (let number = 1; number <= count; number++) {
      const { links, key } = cacheEntry(name, number);
      for (const { from, link: way } of links) {
        expect(await store.query(from, way, uncancelled)).toEqual([key]);
      }
      const [record] = await store.records(key, uncancelled);
      expect(record && (await store.load(record, uncancelled))).toEqual({ result: number });
    }
  };

  it("is written by several processes at once", async () => {
    const names = ["a", "b", "c"];
    const writers = await Promise.all(names.map(start));
    await Promise.all(
      writers.map((writer) => {
        writer.send({ count: 100 });
        return once(writer, "message");
      }),
    );
    await using metadata = await openMetadata(directory);
    const store = openCacheStore({ metadata, results: numbersById() });
    for (const name of names) await checkSaved(store, name, 100);
  });

  it("has every step that a process had saved when it was killed", async () => {
    await using metadata = await openMetadata(directory);
    const store = openCacheStore({ metadata, results: numbersById() });
    for (let attempt = 0; attempt < 4; attempt++) {
      const name = `writer ${attempt}`;
      const writer = await start(name);
      let saved = 0;
      writer.on("message", (message: { readonly saved: number }) => {
        saved = message.saved;
      });
      writer.send({ count: Number.MAX_SAFE_INTEGER });
      await once(writer, "message");
      await new Promise((resolve) => setTimeout(resolve, 5 + attempt * 9));
      writer.kill("SIGKILL");
      await once(writer, "exit");
      await checkSaved(store, name, saved);
    }
    const after = cacheEntry("after", 1);
    await store.save(after, cacheStep("after"), 1, uncancelled);
    await checkSaved(store, "after", 1);
  });
});
