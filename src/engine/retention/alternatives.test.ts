// BuildKit's filters: what they hold for, and what is none.
import { describe, expect, it } from "vitest";
import type { UsageRecord } from "../../api/index.ts";
import { parseAlternatives } from "./alternatives.ts";
import { parseConditions } from "./conditions.ts";

const now = new Date("2026-01-02T00:00:00Z");
const record: UsageRecord = {
  id: "abc",
  type: "regular",
  description: 'mount / from exec sh -c "a, b"',
  size: 5,
  inUse: false,
  mutable: true,
  shared: false,
  createdAt: new Date("2026-01-01T00:00:00Z"),
  usageCount: 1,
  parents: ["one"],
};

describe("one filter", () => {
  it.each<[string, boolean]>([
    ["", true],
    ["type==regular", true],
    ["type=regular", true],
    ["type==regular,shared", false],
    ["type==regular,private,mutable", true],
    [" type == regular , id != x ", true],
    ["id", true],
    ["parents", true],
    ["inuse", false],
    ["shared==true", false],
    ["id~=^a", true],
    ["id~=/^a.c$/", true],
    ["id~=|^b|", false],
    ['description~="exec sh .* \\"a, b"', true],
    ['description=="a, b"', false],
    ["size", false],
    ["size==5", false],
    ["size!=5", true],
  ])("%s holds: %s", (text, expected) => {
    expect(parseAlternatives([text]).holds(record, now)).toBe(expected);
  });

  it.each(["!shared", "type==a b", "type==,", "=x", 'id=="a', "id==a;b=c d", "a..b"])(
    "%s is none",
    (text) => {
      expect(() => parseAlternatives([text])).toThrow(/is not a filter/);
    },
  );
});

it("of several one has to hold", () => {
  const held = (...texts: string[]) => parseAlternatives(texts).holds(record, now);
  expect(held()).toBe(true);
  expect(held("type==source.local", "type==regular")).toBe(true);
  expect(held("type==source.local", "type==regular,shared")).toBe(false);
  expect(held("type==source.local", "")).toBe(true);
});

it("tells whether records are named, as pruning asks", () => {
  expect(parseAlternatives(["shared", "type==history"]).named).toBe(true);
  expect(parseAlternatives(["shared", "size==5"]).named).toBe(false);
});

it("fields have names of several parts, in quotes where they need them", () => {
  expect(parseConditions('labels."org.x/y".z-a~="\\"b"')).toEqual([
    { field: ["labels", "org.x/y", "z-a"], operator: "~=", value: '"b' },
  ]);
});

it("megabytes of nothing are read in a moment", () => {
  const start = performance.now();
  for (const text of ['"'.repeat(1e6), "a.".repeat(1e6), `id=="${"\\".repeat(1e6)}`])
    expect(() => parseConditions(text)).toThrow();
  expect(performance.now() - start).toBeLessThan(5000);
});
