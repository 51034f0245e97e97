// How long a Dockerfile of 2,000 lines takes from bytes to typed instructions, and on to LLB: `npx tsx bench/dockerfile.ts`.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { bundling, checkout } from "../scripts/bundling.ts";
import { starter } from "../scripts/start-up.ts";

if (process.argv.includes("--help")) {
  process.stdout.write(`npx tsx bench/dockerfile.ts

Measures what users get: the code as it is bundled, with what V8 compiled of it before. "first" is the first time in a process (the
median of 9 processes), "then" the median of rounds 101 to 300 in one process, in milliseconds by the clock; "cpu" is processor time
of all threads, the medians of the same rounds.
`);
  process.exit(0);
}

interface Rounds {
  readonly bytes: number;
  /** Of each round, in milliseconds by the clock and of processor time. */
  readonly times: readonly number[];
  readonly cpu: readonly number[];
}

const place = mkdtempSync(join(tmpdir(), "kiln-dockerfile-"));

async function bundle(): Promise<void> {
  const script = "rounds.cjs";
  await build({
    ...bundling,
    entryPoints: [join(checkout, "bench/dockerfile-rounds.ts")],
    outfile: join(place, script),
  });
  const file = { script, cache: "rounds.cache" };
  writeFileSync(join(place, "start.cjs"), starter([file, file]));
  writeFileSync(
    join(place, "record.cjs"),
    `const { scripts: [{ script, cache }] } = require("./start.cjs");
    const { writeFileSync } = require("node:fs");
    process.on("exit", () => writeFileSync(__dirname + "/" + cache, script.createCachedData()));`,
  );
  run("record.cjs", "convert", 3);
}

function run(program: string, what: string, rounds: number): Rounds {
  const words = [join(place, program), what, String(rounds)];
  return JSON.parse(execFileSync(process.execPath, words, { encoding: "utf8" })) as Rounds;
}

function median(times: readonly number[]): number {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0;
}

function report(name: string, what: string): void {
  const cold = Array.from({ length: 9 }, () => run("start.cjs", what, 1));
  const { bytes, times, cpu } = run("start.cjs", what, 300);
  const warm = times.slice(100);
  const first = (of: "times" | "cpu") => median(cold.map((one) => one[of][0] ?? 0));
  const ms = (time: number) => time.toFixed(1);
  process.stdout.write(
    `${name}, 2000 lines, ${bytes} bytes: first ${ms(first("times"))} ms ` +
      `(cpu ${ms(first("cpu"))}), then ${ms(median(warm))} ms ` +
      `(best ${ms(Math.min(...warm))}, cpu ${ms(median(cpu.slice(100)))}); load ${ms(loadavg()[0] ?? 0)}\n`,
  );
}

try {
  await bundle();
  report("parse", "parse");
  report("parse and convert", "convert");
} finally {
  rmSync(place, { recursive: true, force: true });
}
