// Which items go, and in which order.
import { describe, expect, it } from "vitest";
import { bytesToKeep, chooseItems } from "./choose.ts";
import type { Item } from "./item.ts";

interface Given {
  readonly id: string;
  readonly size?: number;
  /** Minutes. */
  readonly used?: number;
  readonly neededBy?: readonly string[];
  readonly derived?: boolean;
  readonly inUse?: boolean;
}

function item({
  id,
  size = 10,
  used = 0,
  neededBy = [],
  derived = false,
  inUse = false,
}: Given): Item {
  return {
    what: { kind: "layer", layer: id, notes: [] },
    neededBy,
    derived,
    record: {
      id,
      type: "regular",
      description: "",
      size,
      inUse,
      mutable: false,
      shared: false,
      createdAt: new Date(0),
      lastUsedAt: new Date(used * 60_000),
      usageCount: 1,
      parents: [],
    },
  };
}

const chosen = (given: readonly Given[], keepBytes = 0, mayGo = (_id: string) => true) =>
  chooseItems(given.map(item), { keepBytes, mayGo: ({ id }) => mayGo(id) }).map(
    ({ record }) => record.id,
  );

describe("choosing", () => {
  it("takes the least recently used first, and no more than it must", () => {
    const given = [
      { id: "new", used: 3 },
      { id: "old", used: 1 },
      { id: "middle", used: 2 },
    ];
    expect(chosen(given)).toEqual(["old", "middle", "new"]);
    expect(chosen(given, 20)).toEqual(["old"]);
    expect(chosen(given, 19)).toEqual(["old", "middle"]);
    expect(chosen(given, 30)).toEqual([]);
  });

  it("takes what is needed after what needs it, and not at all when that stays", () => {
    const chain = [
      { id: "base", neededBy: ["a", "b"] },
      { id: "a", used: 2 },
      { id: "b", used: 1 },
    ];
    expect(chosen(chain)).toEqual(["b", "a", "base"]);
    expect(chosen(chain, 0, (id) => id === "base")).toEqual([]);
    expect(chosen([...chain.slice(0, 2), { id: "b", inUse: true }])).toEqual(["a"]);
  });

  it("takes what was derived with the last thing that needed it, whatever was asked for", () => {
    const given = [
      { id: "blob", derived: true, neededBy: ["layer", "image"], used: 9 },
      { id: "layer" },
      { id: "image", used: 1 },
    ];
    expect(chosen(given, 0, (id) => id !== "blob")).toEqual(["layer", "image", "blob"]);
    expect(chosen(given, 0, (id) => id === "layer")).toEqual(["layer"]);
    const held = given.map((one) => (one.id === "blob" ? { ...one, inUse: true } : one));
    expect(chosen(held)).toEqual(["layer", "image"]);
  });

  it("takes layers that were stacked in two orders", () => {
    const circle = [
      { id: "a", neededBy: ["b"] },
      { id: "b", neededBy: ["a"] },
    ];
    expect(chosen(circle)).toHaveLength(2);
    expect(chosen([{ ...circle[0]!, inUse: true }, circle[1]!])).toEqual([]);
    expect(
      chosen([{ ...circle[0]!, neededBy: ["b", "top"] }, circle[1]!, { id: "top", inUse: true }]),
    ).toEqual([]);
  });
});

describe("the bytes that may be left", () => {
  const cases: [Parameters<typeof bytesToKeep>[0], number, number, number][] = [
    [{}, 100, 50, 0],
    [{ maxUsedSpace: 80 }, 100, 50, 80],
    [{ reservedSpace: 30 }, 100, 50, 30],
    [{ minFreeSpace: 40 }, 100, 50, Number.POSITIVE_INFINITY],
    [{ minFreeSpace: 70 }, 100, 50, 80],
    [{ minFreeSpace: 70, maxUsedSpace: 60 }, 100, 50, 60],
    [{ minFreeSpace: 140, reservedSpace: 30 }, 100, 50, 30],
    [{ minFreeSpace: 1000 }, 100, 50, 1],
  ];
  it.each(cases)("for %o of %i used and %i free: %f", (limits, used, free, expected) => {
    expect(bytesToKeep(limits, used, free)).toBe(expected);
  });
});
