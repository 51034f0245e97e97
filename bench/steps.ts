// What a step costs that does nothing: `npx tsx bench/steps.ts [crun|runc]`, as root.
import { join } from "node:path";
import { openExecutor } from "../src/engine/executor/index.ts";
import {
  makeRoot,
  overlayOn,
  processOf,
  recorder,
  temporaryDirectory,
} from "../test/contract/executor-kit.ts";

const steps = 40;
const [runtime] = process.argv.slice(2);
using place = temporaryDirectory();
await using executor = await openExecutor({
  stateDir: join(place.path, "state"),
  ...(runtime === undefined ? {} : { runtime }),
});
const { mounts } = overlayOn(makeRoot(join(place.path, "root")));
const { call } = recorder();
const run = async (): Promise<{ readonly whole: number; readonly runtime: number }> => {
  const began = performance.now();
  const { wallMs } = await executor.run(processOf(["/bin/sh", "-c", "true"]), mounts, [], call);
  return { whole: performance.now() - began, runtime: wallMs };
};

console.log(`first step, with the filter to compile: ${(await run()).whole.toFixed(1)} ms`);
const taken: { readonly whole: number; readonly runtime: number }[] = [];
for (let step = 0; step < steps; step++) taken.push(await run());
report(
  "a step",
  taken.map(({ whole }) => whole),
);
report(
  `of it ${executor.name}`,
  taken.map((one) => one.runtime),
);

function report(name: string, times: readonly number[]): void {
  const sorted = times.toSorted((a, b) => a - b);
  const [least = 0, median = 0] = [sorted[0], sorted[sorted.length >> 1]];
  console.log(`${name}: ${least.toFixed(1)} ms least, ${median.toFixed(1)} ms median of ${steps}`);
}
