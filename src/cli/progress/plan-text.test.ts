// Plans as people see them.
import { expect, it } from "vitest";
import type { PlannedImage, PlannedStage, PlanReport } from "../../api/index.ts";
import { digestOf } from "../../base/index.ts";
import { createStyle } from "../report/index.ts";
import { planFails, planLines } from "./plan-text.ts";

const steps = (stage: string, cached: readonly boolean[]): PlannedStage["steps"] =>
  cached.map((one, at) => ({
    step: digestOf(`${stage} ${at}`),
    name: `[${stage} ${at + 1}/${cached.length}] RUN x`,
    kind: "exec",
    cached: one,
  }));

const stage = (name: string, more: Partial<PlannedStage>): PlannedStage => ({
  name,
  targets: ["linux/amd64"],
  platform: "linux/amd64",
  way: "native",
  steps: steps(`${name} ${more.targets}`, [false]),
  ...more,
});

const plan = (
  stages: readonly PlannedStage[],
  images: readonly PlannedImage[] = [],
): PlanReport => ({
  buildPlatform: "linux/amd64",
  targets: ["linux/amd64", "linux/arm64"],
  stages,
  images,
});

const lines = (report: PlanReport, width = 80) => planLines(report, createStyle(false), width);

const whole = plan([
  stage("tools", { targets: ["linux/amd64", "linux/arm64"], way: "shared" }),
  stage("final", { steps: steps("final", [true, true]) }),
  stage("final", {
    targets: ["linux/arm64"],
    platform: "linux/arm64",
    way: "emulated",
    emulator: "qemu-aarch64 7.2.22",
    steps: steps("final arm", [true, false]),
  }),
]);

it("is a table of stages and targets, each stage named once", () => {
  expect(lines(whole, 100).slice(0, 6)).toEqual([
    "Plan for linux/amd64, linux/arm64, on a linux/amd64 machine",
    "",
    "STAGE  FOR          RUNS ON      HOW                             STEPS",
    "tools  all 2        linux/amd64  shared                          1 to run",
    "final  linux/amd64  linux/amd64  native                          2 cached",
    "       linux/arm64  linux/arm64  emulated (qemu-aarch64 7.2.22)  1 cached, 1 to run",
  ]);
  expect(lines(whole).at(-2)).toBe("2 of 5 steps to run, 1 of them emulated.");
  expect(planFails(whole)).toBe(false);
});

it.each([60, 80, 120])("fits %d columns", (width) => {
  const table = lines(whole, width).slice(2, 6);
  expect(Math.max(...table.map((line) => line.length))).toBeLessThanOrEqual(width);
});

it("where the window is narrow, platforms are listed below each other, and emulators below the table", () => {
  const shared = stage("words", { targets: ["linux/arm64", "linux/arm/v7"], way: "shared" });
  const report = { ...plan([shared, ...whole.stages]), targets: ["a", "b", "c"] };
  expect(lines(report, 70).slice(2)).toEqual([
    "STAGE  FOR           RUNS ON      HOW       STEPS",
    "words  linux/arm64   linux/amd64  shared    1 to run",
    "       linux/arm/v7",
    "tools  linux/amd64   linux/amd64  shared    1 to run",
    "       linux/arm64",
    "final  linux/amd64   linux/amd64  native    2 cached",
    "       linux/arm64   linux/arm64  emulated  1 cached, 1 to run",
    "",
    "Emulated by qemu-aarch64 7.2.22.",
    "",
    "3 of 6 steps to run, 1 of them emulated.",
    "FROM --platform=$BUILDPLATFORM makes a stage run natively, for every target.",
  ]);
});

it("names platforms that images lack, with the nearest, and fails for them", () => {
  const report = plan(
    [],
    [
      { reference: "docker.io/library/nim:1.6", platform: "linux/amd64", state: "offered" },
      {
        reference: "docker.io/library/nim:1.6",
        platform: "linux/arm64",
        state: "missing",
        offered: "linux/amd64, linux/arm/v7",
        nearest: "linux/arm/v7",
      },
      { reference: "r/one:1", platform: "linux/arm64", state: "other", offered: "linux/amd64" },
    ],
  );
  expect(lines(report).slice(4, 8)).toEqual([
    "IMAGES",
    "✔ docker.io/library/nim:1.6  linux/amd64",
    "✖ docker.io/library/nim:1.6  has no linux/arm64; nearest: linux/arm/v7 (it has linux/amd64, linux/arm/v7)",
    "! r/one:1  is a single image for linux/amd64, not for linux/arm64",
  ]);
  expect(planFails(report)).toBe(true);
});

it("fails where steps have to run that nothing here can run, and says what helps", () => {
  const impossible = (cached: boolean) =>
    plan([
      stage("s", {
        way: "impossible",
        problem: { message: "programs for linux/arm64 cannot run", hint: "Install qemu." },
        steps: steps("s", [cached]),
      }),
    ]);
  expect(lines(impossible(false)).slice(-2)).toEqual([
    "✖ programs for linux/arm64 cannot run",
    "  Install qemu.",
  ]);
  expect(planFails(impossible(false))).toBe(true);
  expect(planFails(impossible(true))).toBe(false);
});
