// Errors, excerpts and numbers as people read them.
import { describe, expect, it, test } from "vitest";
import { KilnError } from "../../base/index.ts";
import { errorText, exitCodeOf } from "./error-text.ts";
import { excerptLines } from "./excerpt.ts";
import { createStyle, wantsColor } from "./style.ts";
import { tableText } from "./table.ts";
import { ageText, secondsText, sizeText } from "./units.ts";

const plain = createStyle(false);
const look = { style: plain, debug: false };
const text = Array.from({ length: 30 }, (_, n) => `line ${n + 1}`).join("\n");

describe("an excerpt", () => {
  const at = { file: "Dockerfile", text };
  it("shows three lines around the one that is meant, and carets under the words", () => {
    expect(excerptLines({ ...at, line: 10, column: 6, endColumn: 8 }, plain)).toEqual([
      "   7 |     line 7",
      "   8 |     line 8",
      "   9 |     line 9",
      "  10 | >>> line 10",
      "     |          ^^",
      "  11 |     line 11",
      "  12 |     line 12",
      "  13 |     line 13",
    ]);
  });
  it("marks all lines that are meant", () => {
    const lines = excerptLines({ ...at, line: 2, endLine: 3 }, plain);
    expect(lines.filter((line) => line.includes(">>>"))).toEqual([
      "   2 | >>> line 2",
      "   3 | >>> line 3",
    ]);
  });
  it("cuts a place that is too long", () => {
    const lines = excerptLines({ ...at, line: 2, endLine: 30 }, plain);
    expect([lines.length, lines.at(-1)]).toEqual([14, "     … 17 more lines"]);
  });
  it("ends with the file, and knows lines that are not there", () => {
    expect(excerptLines({ ...at, line: 30 }, plain).at(-1)).toBe("  30 | >>> line 30");
    expect(excerptLines({ ...at, line: 31 }, plain)).toEqual([]);
    expect(excerptLines({ ...at, line: 0 }, plain)).toEqual([]);
    expect(excerptLines({ file: "x", line: 1 }, plain)).toEqual([]);
  });
  it("keeps control characters of the file from the terminal", () => {
    expect(
      excerptLines({ file: "x", line: 1, column: 3, text: "\ta\u001b[2Jb\r\n" }, plain),
    ).toEqual(["   1 | >>>  a?[2Jb", "     |       ^"]);
  });
});

describe("an error", () => {
  it("is a bug when it is not one of ours, with the stack", () => {
    const shown = errorText(new TypeError("x is undefined"), look);
    expect(shown).toMatch(
      /^error: x is undefined\nThis is a bug in Kiln.*\nTypeError: x is undefined\n {4}at /,
    );
    expect(exitCodeOf(new TypeError("x"))).toBe(100);
  });
  it("does not repeat causes whose words were said", () => {
    const error = new KilnError("REGISTRY_FAILED", "pushing: timed out", {
      cause: new Error("timed out"),
    });
    expect(errorText(error, look)).toBe(
      "error: pushing: timed out\n[REGISTRY_FAILED] docs/errors.md#registry_failed\n",
    );
  });
  it("with mistakes of several kinds tells each kind's code", () => {
    const others = [new KilnError("PLATFORM_INVALID", "b"), new KilnError("FLAG_INVALID", "c")];
    expect(errorText(new KilnError("FLAG_INVALID", "a", { others }), look)).toBe(
      "error: a\nerror: c\n[FLAG_INVALID] docs/errors.md#flag_invalid\n\nerror: b\n[PLATFORM_INVALID] docs/errors.md#platform_invalid\n",
    );
  });
  it("says a hint of several mistakes once", () => {
    const hint = "Do this.";
    const others = [new KilnError("FLAG_INVALID", "b", { hint })];
    const shown = errorText(new KilnError("FLAG_INVALID", "a", { others, hint }), look);
    expect(shown.split("hint: Do this.").length).toBe(2);
  });
  it("shows stacks when debugging", () => {
    expect(errorText(new KilnError("FLAG_INVALID", "a"), { style: plain, debug: true })).toContain(
      "    at ",
    );
  });
  it("is coloured only where asked", () => {
    expect(
      errorText(new KilnError("FLAG_INVALID", "a"), { style: createStyle(true), debug: false }),
    ).toContain("\u001b[31m");
    expect(errorText(new KilnError("FLAG_INVALID", "a"), look)).not.toContain("\u001b");
  });
});

test("colour is for terminals, unless somebody says otherwise", () => {
  expect(wantsColor(true, {})).toBe(true);
  expect(wantsColor(false, {})).toBe(false);
  expect(wantsColor(true, { NO_COLOR: "1" })).toBe(false);
  expect(wantsColor(true, { NO_COLOR: "" })).toBe(true);
  expect(wantsColor(true, { TERM: "dumb" })).toBe(false);
  expect(wantsColor(false, { FORCE_COLOR: "1" })).toBe(true);
});

test("sizes are decimal, with four digits at most", () => {
  const sizes = [0, 999, 1000, 5230, 104_857_600, 1e12].map(sizeText);
  expect(sizes).toEqual(["0B", "999B", "1kB", "5.23kB", "104.9MB", "1TB"]);
});

test("times grow from tenths of seconds to hours", () => {
  const times = [-5, 0, 340, 99_900, 99_960, 125_000, 3_725_000].map(secondsText);
  expect(times).toEqual(["0.0s", "0.0s", "0.3s", "99.9s", "1m40s", "2m05s", "1h02m"]);
});

test("ages are in the largest unit that fits", () => {
  const now = new Date(Date.UTC(2026, 0, 31));
  const ages = [0, 1000, 90_000, 7_200_000, 86_400_000 * 20].map((ms) =>
    ageText(new Date(now.getTime() - ms), now),
  );
  expect(ages).toEqual(["just now", "1 second ago", "1 minute ago", "2 hours ago", "2 weeks ago"]);
});

test("columns are as wide as their widest cell, and lines end without blanks", () => {
  expect(tableText([["ID", "SIZE"], ["abcdef", "1kB"], ["x"]])).toBe(
    "ID      SIZE\nabcdef  1kB\nx\n",
  );
});
