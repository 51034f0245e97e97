// Graphs of keys from outside: named the same in every build, whatever their size, and never walked in circles.
import { expect, test } from "vitest";
import { digestHex, digestOf } from "../../../base/index.ts";
import type { CacheConfig } from "../../../formats/cacheconfig/index.ts";
import type { Backlinks } from "../local-cache-store.ts";
import { outputDigest, readImportedKeys } from "./imported-store.ts";
import { assembleConfig, keysBelow } from "./outgoing.ts";

const record = (name: string, ...links: readonly number[]) => ({
  digest: outputDigest(digestOf(name), 0),
  inputs: links.length === 0 ? [] : [links.map((link) => ({ link, selector: "" }))],
  results: [],
});

test("a step is found by following from its input, and has the same name in any order of records", () => {
  const one: CacheConfig = { layers: [], records: [record("root"), record("step", 0)] };
  const two: CacheConfig = { layers: [], records: [record("step", 1), record("root")] };
  const root = digestHex(outputDigest(digestOf("root"), 0));
  const link = { step: digestOf("step"), input: 0, output: 0 };
  const found = [one, two].map((config) => readImportedKeys(config, "x/").follow(root, link));
  expect(found[0]).toHaveLength(1);
  expect(found[0]).toEqual(found[1]);
  expect(readImportedKeys(one, "x/").follow(root, { ...link, input: 1 })).toEqual([]);
  const selected = { ...link, selector: digestOf("/part") };
  expect(readImportedKeys(one, "x/").follow(root, selected)).toEqual([]);
});

test.each([
  [[record("a", 0)]],
  [[record("a", 1), record("b", 0)]],
  [[record("root"), record("a", 0, 3), record("b", 1), record("c", 2)]],
])("records that lead to themselves are refused", (records) => {
  expect(() => readImportedKeys({ layers: [], records }, "x/")).toThrow(
    expect.objectContaining({ code: "CACHE_INVALID" }),
  );
});

test("ten thousand steps in a chain are written and read in a second of processor time", () => {
  const count = 10_000;
  const links: Backlinks = new Map(
    Array.from({ length: count }, (_, at) => [
      `k${at}.0`,
      [
        {
          from: at === 0 ? "0".repeat(64) : `k${at - 1}.0`,
          input: 0,
          selector: "",
          digest: outputDigest(digestOf(`step ${at}`), 0),
        },
      ],
    ]),
  );
  const began = process.cpuUsage();
  const keys = keysBelow([`k${count - 1}.0`], links);
  const { config } = assembleConfig(keys, new Map());
  expect(config.records).toHaveLength(count + 1);
  expect(readImportedKeys(config, "x/").keys.size).toBe(count + 1);
  expect(process.cpuUsage(began).user).toBeLessThan(1_000_000);
});
