import { expect, it } from "vitest";
import { countIds } from "./id-ranges.ts";
import { isInitial, ownersOf, parseIdMap, parseIsolation, readEntered } from "./isolation.ts";

it.each([undefined, "", "auto", "default"])("%j leaves the choice to Kiln", (text) => {
  expect(parseIsolation(text)).toBeUndefined();
});

it("every rung has its name", () => {
  expect(parseIsolation("userns-fuse")).toBe("userns-fuse");
  expect(() => parseIsolation("chroot")).toThrow(/there is no isolation "chroot"/);
});

it("the first user namespace is the one in which every id is itself", () => {
  expect(isInitial(parseIdMap("         0          0 4294967295\n"))).toBe(true);
  expect(isInitial(parseIdMap("0 0 65536\n65536 65536 4294901759\n"))).toBe(false);
  expect(isInitial(parseIdMap("0 1000 1\n"))).toBe(false);
  expect(isInitial([])).toBe(false);
});

it("a map of one id has one owner, a map with lent ranges many", () => {
  expect(ownersOf(parseIdMap("0 1000 1\n"))).toBe("one");
  expect(ownersOf(parseIdMap("0 1000 1\n1 100000 65535\n"))).toBe("many");
  expect(ownersOf([])).toBe("one");
});

it.each(["", "userns", "userns:", "root:0", "proot:1000", "userns:x"])(
  "%j does not say that a namespace was entered",
  (variable) => {
    expect(readEntered(variable)).toBeUndefined();
  },
);

it("ranges are a user's by name or by number, and add up", () => {
  const text = "ann:100000:65536\n1000:200000:10\nbob:300000:5\nbad line\nann:x:7\n";
  expect(countIds(text, { uid: 1000, name: "ann" })).toBe(65546);
  expect(countIds(text, { uid: 1001, name: "bob" })).toBe(5);
  expect(countIds(text, { uid: 1001, name: undefined })).toBe(0);
});
