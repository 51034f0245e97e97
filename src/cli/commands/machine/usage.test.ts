// Which records the filters of `du` and `prune` mean.
import { describe, expect, it, test } from "vitest";
import type { UsageRecord } from "../../../api/index.ts";
import { namesRecords } from "../../../engine/retention/index.ts";
import { rowsText } from "./row-format.ts";
import { matchesFilters, parseFilters, pruneFilter } from "./usage.ts";

const now = new Date(Date.UTC(2026, 0, 2));
const record: UsageRecord = {
  id: "abc",
  type: "regular",
  description: "mount / from exec make",
  size: 5,
  inUse: false,
  mutable: true,
  shared: false,
  createdAt: new Date(Date.UTC(2026, 0, 1)),
  usageCount: 1,
  parents: ["p1", "p2"],
};

describe("a filter", () => {
  const cases: [string, boolean][] = [
    ["id=abc", true],
    ["id=ab", false],
    ["id!=abc", false],
    ["id~=^a.c$", true],
    ["parents=p2", true],
    ["parents!=p2", false],
    ["type=regular", true],
    ["description~=exec", true],
    ["description~=^exec", false],
    ["inuse", false],
    ["inuse=false", true],
    ["inuse!=true", true],
    ["mutable", true],
    ["immutable", false],
    ["shared=0", true],
    ["private", true],
    ["until=24h", true],
    ["until=25h", false],
  ];
  it.each(cases)("%s holds: %s", (text, expected) => {
    expect(matchesFilters(record, parseFilters([text]), now)).toBe(expected);
  });

  it("holds together with others only", () => {
    expect(matchesFilters(record, parseFilters(["mutable", "id=abc"]), now)).toBe(true);
    expect(matchesFilters(record, parseFilters(["mutable", "id=x"]), now)).toBe(false);
  });

  it.each([
    ["type=history", true],
    ["type==history", true],
    ["type~=hist", true],
    ["id=steps", true],
    ["description~=explain", true],
    ["type!=regular", false],
    ["until=1h", false],
    ["private", false],
    ["parents=history", false],
  ])("%s names what is meant: %s", (text, expected) => {
    expect(namesRecords(parseFilters(["inuse=false", text]))).toBe(expected);
  });

  const wrong: [string, RegExp][] = [
    ["size=5", /no such key/],
    ["until=soon", /needs a duration/],
    ["shared=perhaps", /must be true or false/],
    ["id~=(", /not a regular expression/],
    ["=x", /no such key/],
  ];
  it.each(wrong)("%s is refused", (text, why) => {
    expect(() => parseFilters([text])).toThrow(why);
  });
});

test("prune asks for what was given and nothing else", () => {
  const none = { all: false, filter: [], reserved: 0, "max-used-space": 0, "min-free-space": 0 };
  expect(pruneFilter(none)).toEqual({});
  expect(
    pruneFilter({
      ...none,
      all: true,
      filter: ["id=x"],
      reserved: 1,
      "max-used-space": 2,
      "min-free-space": 3,
    }),
  ).toEqual({
    all: true,
    filters: ["id=x"],
    reservedSpace: 1,
    maxUsedSpace: 2,
    minFreeSpace: 3,
  });
});

it.each(["{{.Nope}}", "table {{.ID}} {{.Nope}}"])(
  "rows have no field that %s asks for",
  (format) => {
    expect(() => rowsText(format, [{ ID: "a" }], { ID: "ID", Size: "SIZE" }, ["ID"])).toThrow(
      "there is no field .Nope",
    );
  },
);

it("a field that a row lacks is empty", () => {
  expect(rowsText("{{.ID}}:{{.Size}}", [{ ID: "a" }], { ID: "ID", Size: "SIZE" }, [])).toBe("a:\n");
});
