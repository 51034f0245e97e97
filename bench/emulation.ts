// What an emulated step costs against a native one, with Kiln and another builder: `NEIGHBOUR="docker buildx build" BENCH_BASE=IMAGE npx tsx bench/emulation.ts [WORKLOAD...]`.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

/** What a RUN does, in an image with sh, gcc, python3, tar, gzip and dpkg. */
const workloads: Readonly<Record<string, string>> = {
  nothing: "true",
  forks: "i=0; while [ $i -lt 100 ]; do /bin/true; i=$((i+1)); done",
  python: "for i in 1 2 3 4 5; do python3 -c pass; done",
  compile: "gcc -O2 -o /tmp/program /work/program.c",
  archive: "tar cf - /work/files | gzip -6 > /tmp/files.tar.gz",
  packages:
    "for i in 1 2 3; do mkdir -p /tmp/p$i/DEBIAN && printf 'Package: p%s\\nVersion: 1\\nArchitecture: all\\nMaintainer: x <x@y>\\nDescription: x\\n' $i > /tmp/p$i/DEBIAN/control && dpkg-deb -b /tmp/p$i /tmp/p$i.deb && dpkg -i /tmp/p$i.deb; done",
};

const { NEIGHBOUR, BENCH_BASE, BENCH_ROUNDS = "3", BENCH_PLATFORM } = process.env;
if (!BENCH_BASE || process.argv.includes("--help")) {
  process.stdout.write(`BENCH_BASE=IMAGE npx tsx bench/emulation.ts [${Object.keys(workloads).join("] [")}]

Runs each workload as one step, natively and emulated (npm run build first; root), and prints the least of several rounds.
  BENCH_BASE      image with gcc and python3, for this machine's processor and the other
  NEIGHBOUR       another builder's command, such as "docker buildx build"; none where absent
  KILN            the same for Kiln; bin/kiln build
  BENCH_PLATFORM  what is emulated; linux/arm64, or linux/amd64 on an arm64 machine
  BENCH_ROUNDS    how often; 3
`);
  process.exit(BENCH_BASE ? 0 : 1);
}

const kiln = process.env["KILN"] ?? `${resolve(import.meta.dirname, "../bin/kiln")} build`;
const native = process.arch === "arm64" ? "linux/arm64" : "linux/amd64";
const emulated = BENCH_PLATFORM ?? (native === "linux/arm64" ? "linux/amd64" : "linux/arm64");
const place = mkdtempSync(join(tmpdir(), "kiln-emulation-"));
const env = { ...process.env, KILN_ROOT: process.env["KILN_ROOT"] ?? join(place, "root") };
let builds = 0;
const asked = process.argv.slice(2);
const builders = [kiln, ...(NEIGHBOUR ? [NEIGHBOUR] : [])];
try {
  for (const [name, script] of Object.entries(workloads))
    if (asked.length === 0 || asked.includes(name)) compare(name, script);
} finally {
  rmSync(place, { recursive: true, force: true });
}

function compare(name: string, script: string): void {
  const context = writeContext(name, script);
  // Bases and contexts are fetched by a first build that does not count.
  for (const builder of builders)
    for (const one of [native, emulated]) build(builder, one, context);
  const least = new Map<string, number>();
  for (let round = 0; round < Number(BENCH_ROUNDS); round++) {
    // Who begins takes turns.
    for (const builder of round % 2 === 0 ? builders : builders.toReversed()) {
      for (const platform of [native, emulated]) {
        const key = `${builder} ${platform}`;
        const taken = build(builder, platform, context);
        least.set(key, Math.min(taken, least.get(key) ?? Number.POSITIVE_INFINITY));
      }
    }
  }
  const words = builders.map((builder, at) => {
    const [own = 0, other = 0] = [native, emulated].map((one) => least.get(`${builder} ${one}`));
    const ratio = (other / own).toFixed(1);
    return `${at === 0 ? "kiln" : "neighbour"} ${own.toFixed(2)} s native, ${other.toFixed(2)} s emulated (${ratio}x)`;
  });
  process.stdout.write(`${name}: ${words.join("; ")}\n`);
}

function writeContext(name: string, script: string): string {
  const context = join(place, name);
  mkdirSync(join(context, "files"), { recursive: true });
  const functions = Array.from(
    { length: 300 },
    (_, at) =>
      `static int f${at}(int a,int b){int s=${at};for(int k=0;k<a;k++){s+=(k*b)^${at};if(s%7==3)s-=k;}return s;}\n`,
  );
  const calls = functions.map((_, at) => `s+=f${at}(c+${at},${at});`).join("");
  writeFileSync(
    join(context, "program.c"),
    `${functions.join("")}int main(int c,char**v){int s=0;${calls}return s&1;}\n`,
  );
  for (let at = 0; at < 400; at++)
    writeFileSync(join(context, "files", `${at}`), `${(at * 7919) % 10_007} line\n`.repeat(700));
  writeFileSync(
    join(context, "Dockerfile"),
    `FROM ${BENCH_BASE}\nCOPY program.c /work/\nCOPY files /work/files\nARG ROUND\nRUN ${script}\n`,
  );
  return context;
}

/** Seconds of a build whose last step is run anew. */
function build(builder: string, platform: string, context: string): number {
  const [program = "", ...words] = builder.split(" ").filter(Boolean);
  const anew = `ROUND=${Date.now()}-${++builds}`;
  const begun = performance.now();
  const { status, stderr, error } = spawnSync(
    program,
    [
      ...words,
      "--platform",
      platform,
      "--build-arg",
      anew,
      "-t",
      "bench-emulation:latest",
      context,
    ],
    { env, encoding: "utf8" },
  );
  const taken = (performance.now() - begun) / 1000;
  if (status !== 0) throw error ?? new Error(`${builder} failed:\n${stderr.slice(-2000)}`);
  return taken;
}
