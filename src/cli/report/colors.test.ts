// BUILDKIT_COLORS as the reference's clients read it, and what it paints.
import { expect, test } from "vitest";
import { parseColors } from "./colors.ts";
import { createStyle } from "./style.ts";

test.each([
  [
    "run=green:warning=yellow:error=light-red:cancel=255,165,0",
    { run: "32", warning: "33", error: "91", cancel: "38;2;255;165;0" },
  ],
  ["RUN=Blue", { run: "34" }],
  ["error=0,0,0", { error: "38;2;0;0;0" }],
  ["", {}],
  [undefined, {}],
  ["run=pink:other=red:error=256,0,0:cancel=1,2:warning", {}],
  ["run=constructor:__proto__=red", {}],
])("%j", (text, colors) => {
  expect(parseColors(text)).toEqual(colors);
});

test("colours replace those of a style that has any", () => {
  const colors = parseColors("run=magenta:error=1,2,3:cancel=white");
  const style = createStyle(true, colors);
  expect(style.blue("x")).toBe("\u001b[35mx\u001b[39m");
  expect(style.red("x")).toBe("\u001b[38;2;1;2;3mx\u001b[39m");
  expect(style.cancelled("x")).toBe("\u001b[37mx\u001b[39m");
  expect(style.yellow("x")).toBe("\u001b[33mx\u001b[39m");
  expect(createStyle(false, colors).red("x")).toBe("x");
});
