// chmod's words: the outcomes are those of BuildKit, which differs from GNU chmod for directories and in sticky bits.
import { expect, it } from "vitest";
import { parseModeChange } from "./mode.ts";

const cases: readonly [words: string, before: number, after: number, directory?: boolean][] = [
  ["0755", 0o644, 0o755],
  ["755", 0o4644, 0o755],
  ["4755", 0o644, 0o4755],
  ["u=rwX,go=rX", 0o600, 0o644],
  ["u=rwX,go=rX", 0o700, 0o755],
  ["u=rwX,go=rX", 0o600, 0o755, true],
  ["+x", 0o644, 0o755],
  ["a-w", 0o666, 0o444],
  ["g=u", 0o740, 0o770],
  ["o=", 0o777, 0o770],
  ["u+s", 0o755, 0o4755],
  ["g+s", 0o755, 0o2755],
  ["+t", 0o755, 0o1755],
  ["u-s", 0o4755, 0o755],
  ["u=rwx", 0o4755, 0o755],
  ["u=rwx", 0o4755, 0o755, true],
  ["a=rX", 0o7777, 0o1555, true],
  ["g=rx", 0o7777, 0o5757, true],
  ["go=", 0o7777, 0o5700, true],
  ["g=u", 0o2750, 0o2770],
  ["u=g", 0o7777, 0o7777],
  ["o+t", 0o755, 0o755],
  ["u+t", 0o755, 0o1755],
  ["u+x-w", 0o644, 0o544],
  ["go-rwx,u+X", 0o755, 0o700],
];

it.each(cases)("%s changes %o to %o", (words, before, after, directory = false) => {
  expect(parseModeChange(words)(before, directory).toString(8)).toBe(after.toString(8));
});

it.each(["", "rwx", "u=y", "u=r,", "999", "u~r", "0o755"])("refuses %j", (words) => {
  expect(() => parseModeChange(words)).toThrow(/invalid file mode/);
});
