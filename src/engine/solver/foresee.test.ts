// Foreseeing what is cached, tried with integers.
import { expect, it } from "vitest";
import { NumberSolver, type NumberStep, step } from "../../../test/kit/number-steps.ts";
import { uncancelled } from "../../base/index.ts";
import type { Vertex } from "./index.ts";

/** What is foreseen of a build, as `name: cached` or `name: run`, in the order of `names`. */
async function foreseen(
  numbers: NumberSolver,
  target: Vertex<NumberStep>,
  names: readonly string[],
  looked: readonly string[] = [],
): Promise<readonly string[]> {
  await using job = numbers.solver.job("plan", () => {});
  const mayLook = (vertex: Vertex<NumberStep>, cached: boolean) =>
    cached || looked.includes(vertex.name);
  const states = await job.foresee({ vertex: target, output: 0 }, mayLook, uncancelled);
  const all = new Map<string, Vertex<NumberStep>>();
  const visit = (vertex: Vertex<NumberStep>): void => {
    all.set(vertex.name, vertex);
    for (const input of vertex.inputs) visit(input.vertex);
  };
  visit(target);
  return names.map((name) => {
    const vertex = all.get(name);
    return `${name}: ${vertex && states.get(vertex.digest) ? "cached" : "run"}`;
  });
}

const source = (name: string, value: number, key = name) => step(name, { key, run: () => [value] });

it("runs nothing, and says that all has to run where nothing is known", async () => {
  const numbers = new NumberSolver();
  const top = step("top", { inputs: [source("base", 1)] });
  expect(await foreseen(numbers, top, ["base", "top"])).toEqual(["base: run", "top: run"]);
  expect(numbers.taken("run", "load")).toEqual([]);
  expect(numbers.live.size).toBe(0);
});

it("finds what an earlier build left, and runs nothing to find it", async () => {
  const numbers = new NumberSolver();
  const base = source("base", 1);
  const middle = step("middle", { inputs: [base] });
  await numbers.build(step("top", { inputs: [middle] }), uncancelled);
  numbers.taken();
  const other = step("other", { inputs: [middle] });
  expect(await foreseen(numbers, other, ["base", "middle", "other"])).toEqual([
    "base: cached",
    "middle: cached",
    "other: run",
  ]);
  expect(numbers.taken("run", "load")).toEqual([]);
});

it("looks at contents where it may: an unchanged directory under a new name is cached", async () => {
  const numbers = new NumberSolver();
  const copyOf = (key: string, value: number) =>
    step("copy", {
      key: "copy",
      inputs: [source("files", value, key)],
      content: [(content) => content],
    });
  await numbers.build(copyOf("session 1", 7), uncancelled);
  const looked = ["files"];
  const names = ["files", "copy"];
  expect(await foreseen(numbers, copyOf("session 2", 7), names, looked)).toEqual([
    "files: cached",
    "copy: cached",
  ]);
  expect(await foreseen(numbers, copyOf("session 3", 8), names, looked)).toEqual([
    "files: run",
    "copy: run",
  ]);
  expect(await foreseen(numbers, copyOf("session 4", 7), names)).toEqual([
    "files: run",
    "copy: run",
  ]);
  expect(numbers.live.size).toBe(0);
});

it("takes steps that ignore the cache to run, and what they stand on as it is", async () => {
  const numbers = new NumberSolver();
  const top = (ignoreCache: boolean) =>
    step("top", { inputs: [step("always", { inputs: [source("base", 1)], ignoreCache })] });
  await numbers.build(top(false), uncancelled);
  expect(await foreseen(numbers, top(true), ["base", "always", "top"])).toEqual([
    "base: cached",
    "always: run",
    "top: run",
  ]);
});
