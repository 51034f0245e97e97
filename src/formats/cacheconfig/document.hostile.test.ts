// Cache configurations from outside: what BuildKit writes is read and written back, what makes no sense is refused.
import { describe, expect, test } from "vitest";
import { digestOf } from "../../base/index.ts";
import {
  type CacheConfig,
  layersOf,
  parseCacheConfig,
  parseInlineRecords,
  serializeCacheConfig,
  serializeInlineRecords,
} from "./document.ts";

const a = digestOf("a");
const b = digestOf("b");
const c = digestOf("c");
const text =
  `{"layers":[{"blob":"${a}","parent":-1},{"blob":"${b}"}],"records":[` +
  `{"digest":"${c}"},{"layers":[{"layer":1,"createdAt":"2026-11-21T16:24:32.04488651Z"}],"digest":"${a}","inputs":[[{"selector":"${b}","link":0}]]}]}`;

const read = (document: string) => parseCacheConfig(document, "the cache");
const bytes = (config: CacheConfig) => new TextDecoder().decode(serializeCacheConfig(config));

describe("a cache configuration", () => {
  test("of BuildKit is written back byte for byte", () => {
    expect(bytes(read(text))).toBe(text);
  });

  test("names the layers of a result, oldest first", () => {
    const config = read(text);
    const [result] = config.records[1]?.results ?? [];
    expect(result && layersOf(config, result)).toEqual([0, 1]);
  });

  test("may name layers one by one, as images' own do", () => {
    const chains = `{"layers":[{"blob":"${a}","parent":-1}],"records":[{"chains":[{"layers":[0],"createdAt":"2026-01-01T00:00:00Z"}],"digest":"${c}"}]}`;
    expect(bytes(read(chains))).toBe(chains);
  });

  test("inside of an image is its records alone", () => {
    const { layers, records } = read(text);
    const inline = new TextDecoder().decode(serializeInlineRecords(records));
    expect(parseInlineRecords(inline, layers, "the image").records).toEqual(records);
  });

  test("keeps what is said of layers", () => {
    const annotated = `{"layers":[{"blob":"${a}","parent":-1,"annotations":{"mediaType":"m","diffID":"${b}","size":7,"createdAt":"2026-01-01T00:00:00Z"}}]}`;
    expect(bytes(read(annotated))).toBe(annotated);
    expect(read("{}")).toEqual({ layers: [], records: [] });
  });

  test.each([
    "[]",
    '{"layers":7}',
    '{"layers":[{"blob":"x"}]}',
    `{"layers":[{"blob":"${a}","parent":1}]}`,
    `{"layers":[{"blob":"${a}","parent":-2}]}`,
    '{"records":[{}]}',
    `{"records":[{"digest":"${a}","inputs":[[{"link":1}]]}]}`,
    `{"records":[{"digest":"${a}","layers":[{"layer":0}]}]}`,
    `{"records":[{"digest":"${a}","chains":[{"layers":[0.5]}]}]}`,
  ])("is refused where it points at nothing: %s", (document) => {
    expect(() => read(document)).toThrow(expect.objectContaining({ code: "CACHE_INVALID" }));
  });

  test("whose layers lie on themselves is refused when they are asked for", () => {
    const config = read(
      `{"layers":[{"blob":"${a}","parent":1},{"blob":"${b}"}],"records":[{"digest":"${c}","layers":[{"layer":0}]}]}`,
    );
    const [result] = config.records[0]?.results ?? [];
    expect(() => result && layersOf(config, result)).toThrow(/lie on themselves/);
  });
});
