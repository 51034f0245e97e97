// Kiln beside another builder, turn by turn on the same machine: `NEIGHBOUR="docker buildx build" npx tsx bench/neighbour.ts [WORKLOAD...]`.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";

/** A directory to build, and how. `cached` builds repeat what was built before, the others begin anew every time. */
interface Workload {
  readonly files: Readonly<Record<string, string>>;
  readonly platforms: string;
  readonly cached: boolean;
}

const native = "linux/amd64";
const three = "linux/amd64,linux/arm64,linux/arm/v7";

const workloads = (base: string): Readonly<Record<string, Workload>> => {
  const small = {
    Dockerfile: `FROM ${base}\nWORKDIR /app\nCOPY a b ./\nRUN cat a b > c\nENV X=1\nCOPY src/ ./src/\nRUN ls src > list\nCMD ["cat", "list"]\n`,
    a: "a\n".repeat(100),
    b: "b\n".repeat(100),
    "src/one": "1\n",
    "src/two": "2\n",
  };
  const echoes = Array.from({ length: 40 }, (_, at) => `RUN echo ${at} > /${at}\n`);
  const numbers = Array.from({ length: 20_000 }, (_, at) => `${(at * 7919) % 10_007}\n`);
  const twoStages = `FROM ${base} AS build
WORKDIR /w
COPY in.txt .
RUN for i in 1 2 3 4 5; do sort in.txt | sha256sum > s$i; done
RUN mkdir out && for i in $(seq 200); do head -n $i in.txt > out/$i; done
RUN tar cf out.tar out && gzip -c out.tar > out.tar.gz
FROM ${base}
COPY --from=build /w/out /data
COPY --from=build /w/out.tar.gz /w/s1 /
RUN cat /s1 && ls /data | wc -l > /n
`;
  return {
    noop: { files: small, platforms: native, cached: true },
    noop3: { files: small, platforms: three, cached: true },
    steps40: {
      files: { Dockerfile: `FROM ${base}\n${echoes.join("")}` },
      platforms: native,
      cached: false,
    },
    twostage: {
      files: { Dockerfile: twoStages, "in.txt": numbers.join("") },
      platforms: native,
      cached: false,
    },
  };
};

const {
  NEIGHBOUR,
  BENCH_BASE = "docker.io/library/busybox:latest",
  BENCH_ROUNDS = "7",
} = process.env;
if (!NEIGHBOUR || process.argv.includes("--help")) {
  process.stdout.write(`NEIGHBOUR="docker buildx build" npx tsx bench/neighbour.ts [noop] [noop3] [steps40] [twostage]

Builds each workload with Kiln (npm run build first; root) and the neighbour in turn. The base image must be reachable for both.
  NEIGHBOUR      the other builder's command, up to the flags that both take
  KILN           the same for Kiln; bin/kiln build
  BENCH_BASE     base image of all workloads; docker.io/library/busybox:latest
  BENCH_ROUNDS   how often; 7
`);
  process.exit(NEIGHBOUR ? 0 : 1);
}

const kiln = process.env["KILN"] ?? `${resolve(import.meta.dirname, "../bin/kiln")} build`;
const place = mkdtempSync(join(tmpdir(), "kiln-neighbour-"));
const env = { ...process.env, KILN_ROOT: process.env["KILN_ROOT"] ?? join(place, "root") };
const asked = process.argv.slice(2);
try {
  for (const [name, workload] of Object.entries(workloads(BENCH_BASE))) {
    if (asked.length === 0 || asked.includes(name)) compare(name, workload);
  }
} finally {
  rmSync(place, { recursive: true, force: true });
}

function compare(name: string, workload: Workload): void {
  const context = join(place, name);
  for (const [file, text] of Object.entries(workload.files)) {
    mkdirSync(dirname(join(context, file)), { recursive: true });
    writeFileSync(join(context, file), text);
  }
  const both = [kiln, NEIGHBOUR ?? ""];
  const times: [number[], number[]] = [[], []];
  for (const builder of both) build(builder, { ...workload, cached: true }, context, name);
  for (let round = 0; round < Number(BENCH_ROUNDS); round++) {
    // Who begins takes turns.
    for (const who of round % 2 === 0 ? [0, 1] : [1, 0]) {
      times[who]?.push(build(both[who] ?? "", workload, context, name));
    }
  }
  const [own, other] = times.map((list) => list.toSorted((a, b) => a - b)) as [number[], number[]];
  const text = (list: readonly number[]) =>
    `${list[0]?.toFixed(3)} s least, ${list[list.length >> 1]?.toFixed(3)} s median`;
  const ratio = (own[0] ?? 0) / (other[0] ?? 1);
  process.stdout.write(
    `${name}: kiln ${text(own)}; neighbour ${text(other)}; ratio of the least ${ratio.toFixed(2)}\n`,
  );
}

/** Seconds. */
function build(
  builder: string,
  { platforms, cached }: Workload,
  context: string,
  name: string,
): number {
  const [program = "", ...words] = builder.split(" ").filter(Boolean);
  const flags = ["--platform", platforms, "-t", `bench-${name}:latest`];
  const begun = performance.now();
  const { status, stderr, error } = spawnSync(
    program,
    [...words, ...flags, ...(cached ? [] : ["--no-cache"]), context],
    { env, encoding: "utf8" },
  );
  const taken = (performance.now() - begun) / 1000;
  if (status !== 0)
    throw error ?? new Error(`${builder} failed on ${name}:\n${stderr.slice(-2000)}`);
  return taken;
}
