// Go's numbers for kinds of files.
import { expect, it } from "vitest";
import { goMode, unixMode } from "./go-file-mode.ts";

it("says of files what they are, as Go does", () => {
  expect(goMode(0o100644)).toBe(0o644);
  expect(goMode(0o040755)).toBe(2 ** 31 + 0o755);
  expect(goMode(0o120777)).toBe(2 ** 27 + 0o777);
  expect(goMode(0o104755)).toBe(2 ** 23 + 0o755);
  expect(goMode(0o041777)).toBe(2 ** 31 + 2 ** 20 + 0o777);
  expect(goMode(0o020666)).toBe(2 ** 26 + 2 ** 21 + 0o666);
});

it("reads what it says", () => {
  for (const mode of [
    0o100644, 0o040755, 0o120777, 0o104755, 0o041777, 0o020666, 0o060600, 0o010600,
  ])
    expect(unixMode(goMode(mode))).toBe(mode);
});
