// What bench/builds.ts measures: each workload is a directory and what every builder does with it, row by row.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { demoPlatforms as three } from "../scripts/fixtures/base-images.ts";
import {
  writeFiles,
  writeLarge,
  writeSmall,
  writeSteps,
  writeTargets,
  writeTree,
  writeTwoStages,
} from "./contexts.ts";
import type { Build } from "./neighbour.ts";

const {
  BENCH_CONTEXT = "100000",
  BENCH_FILES = "20000",
  BENCH_MIB = "1024",
  BENCH_TARGETS = "20",
} = process.env;

/** One directory, and what each builder does with it in one turn. */
export interface Workload {
  readonly says: string;
  /** Takes long: has fewer rounds. Each turn has a directory of another name, as daemons know contexts by theirs. */
  readonly large?: boolean;
  /** Each builder has a turn before that is not counted. */
  readonly known?: boolean;
  /** `base` is the image that all stages begin with. */
  write(directory: string, base: string): void;
  turn(turn: Turn): void;
}

/** One builder's turn at one workload. */
export interface Turn {
  /** Builds, and counts that as `row`. */
  build(row: string, how?: Omit<Build, "directory" | "image">): void;
  /** Bakes, and counts that as `row`. */
  bake(row: string, targets: readonly string[]): void;
  /** A file of the directory gets contents that it never had. */
  change(file: string): void;
  /** Nobody has seen all that is in the directory, and the builder has the base image at most. */
  startAnew(platforms?: string): void;
}

const targets = Array.from({ length: Number(BENCH_TARGETS) }, (_, at) => `t${at + 1}`);
const copied = (count: string, directory: string, base: string): void => {
  writeFiles(directory, { Dockerfile: `FROM ${base}\nCOPY . /src\n`, nonce: "" });
  writeTree(directory, Number(count), 2000, 18_000);
};
const copiedLarge = (directory: string, base: string): void => {
  writeFiles(directory, { Dockerfile: `FROM ${base}\nCOPY . /src\n`, nonce: "" });
  writeLarge(join(directory, "large"), Number(BENCH_MIB) << 20);
};

export const workloads: Readonly<Record<string, Workload>> = {
  noop: {
    says: "a: seven steps, of which none changed",
    known: true,
    write: (directory, base) => writeSmall(directory, base),
    turn: (turn) => turn.build("a nothing changed"),
  },
  noop3: {
    says: "a, f: the same for three platforms",
    known: true,
    write: (directory, base) => writeSmall(directory, base),
    turn: (turn) => turn.build("a nothing changed, 3 platforms", { platforms: three }),
  },
  context: {
    says: `b: a context of ${BENCH_CONTEXT} files: unknown, unchanged, with one file changed`,
    large: true,
    write: (directory, base) => {
      const dockerfile = `FROM ${base}\nCOPY . /src\nRUN ls /src | wc -l > /count\n`;
      writeFiles(directory, { Dockerfile: dockerfile, nonce: "" });
      writeTree(directory, Number(BENCH_CONTEXT), 200, 1500);
    },
    turn: (turn) => {
      turn.startAnew();
      turn.build(`b ${BENCH_CONTEXT} files, cold`);
      spawnSync("sync");
      turn.build(`b ${BENCH_CONTEXT} files, unchanged`);
      turn.change("d0/f7");
      turn.build(`b ${BENCH_CONTEXT} files, one changed`);
    },
  },
  steps: {
    says: "c: forty short RUN steps",
    write: (directory, base) => writeSteps(directory, base, 40),
    turn: (turn) => turn.build("c 40 steps", { anew: true }),
  },
  stages: {
    says: "d: two stages, no step cached",
    write: (directory, base) => writeTwoStages(directory, base),
    turn: (turn) => turn.build("d two stages", { anew: true }),
  },
  files: {
    says: `e: COPY of ${BENCH_FILES} small files, pushed, as gzip and zstd`,
    large: true,
    write: (directory, base) => copied(BENCH_FILES, directory, base),
    turn: (turn) => pushed(turn, `e ${BENCH_FILES} files`, ["gzip", "zstd"]),
  },
  large: {
    says: `e: COPY of one file of ${BENCH_MIB} MiB, pushed, as gzip and zstd`,
    large: true,
    write: copiedLarge,
    turn: (turn) => pushed(turn, `e ${BENCH_MIB} MiB`, ["gzip", "zstd"]),
  },
  stages3: {
    says: "f: the two stages of d for three platforms, two of them emulated",
    write: (directory, base) => writeTwoStages(directory, base),
    turn: (turn) => turn.build("f two stages, 3 platforms", { anew: true, platforms: three }),
  },
  files3: {
    says: "f: the files of e for three platforms, gzip",
    large: true,
    write: (directory, base) => copied(BENCH_FILES, directory, base),
    turn: (turn) => pushed(turn, `f ${BENCH_FILES} files, 3 platforms`, ["gzip"], three),
  },
  large3: {
    says: "f: the large file of e for three platforms, gzip",
    large: true,
    write: copiedLarge,
    turn: (turn) => pushed(turn, `f ${BENCH_MIB} MiB, 3 platforms`, ["gzip"], three),
  },
  targets: {
    says: `g: ${targets.length} targets on two shared stages, all of them new`,
    write: (directory, base) => writeTargets(directory, base, targets),
    turn: (turn) => {
      turn.change("nonce");
      turn.bake(`g ${targets.length} targets`, targets);
    },
  },
};

function pushed(
  turn: Turn,
  row: string,
  packed: readonly ("gzip" | "zstd")[],
  platforms?: string,
): void {
  for (const push of packed) {
    turn.startAnew(platforms);
    turn.build(`${row}, ${push}`, { push, platforms });
  }
}
