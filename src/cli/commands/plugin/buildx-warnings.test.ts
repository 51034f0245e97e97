// The end of a build with warnings, as scripts around docker buildx read it.
import { expect, it } from "vitest";
import { createStyle } from "../../report/index.ts";
import type { RunWorld } from "../command.ts";
import { buildxWarningLines } from "./buildx-warnings.ts";

const warning = {
  message: "m",
  rule: "R",
  url: "u",
  detail: ["why"],
  at: { file: "Dockerfile", line: 2, text: "FROM a\nRUN b\n" },
};

function lines(warnings: readonly (typeof warning)[], debug: boolean): readonly string[] {
  const style = createStyle(false);
  return buildxWarningLines(warnings, { globals: { debug }, stderr: { style } } as RunWorld);
}

it("counts them and says how to see more", () => {
  expect(lines([], false)).toEqual([]);
  expect(lines([warning, warning], false)).toEqual([
    "",
    " 2 warnings found (use docker --debug to expand):",
    " - R: m (line 2)",
    " - R: m (line 2)",
  ]);
});

it("shows them at length where debugging is on", () => {
  expect(lines([warning], true)).toEqual([
    "",
    " 1 warning found:",
    " - R: m (line 2)",
    "why",
    "More info: u",
    "Dockerfile:2",
    "--------------------",
    "   1 |     FROM a",
    "   2 | >>> RUN b",
    "   3 |     ",
    "--------------------",
    "",
  ]);
});
