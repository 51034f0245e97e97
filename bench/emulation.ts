// What an emulated step costs against a native one, with Kiln under several emulators and another builder: `NEIGHBOUR="docker buildx build" BENCH_BASE=IMAGE npx tsx bench/emulation.ts [WORKLOAD...]`.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

/** What a RUN does, in an image of Debian's with gcc, python3, node and package lists that are up to date. */
const workloads: Readonly<Record<string, string>> = {
  forks: "i=0; while [ $i -lt 100 ]; do /bin/true; i=$((i+1)); done",
  python: "python3 -c pass",
  node: "node -e 0",
  compile: "gcc -O2 -o /tmp/program /work/program.c",
  archive: "tar cf - /work/files | gzip -6 > /tmp/files.tar.gz",
  hash: "sha256sum /work/files/* > /tmp/sums",
  apt: "DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends openssh-client",
};

const { NEIGHBOUR, BENCH_BASE, BENCH_ROUNDS = "3", BENCH_PLATFORM, BENCH_QEMU } = process.env;
if (!BENCH_BASE || process.argv.includes("--help")) {
  process.stdout.write(`BENCH_BASE=IMAGE npx tsx bench/emulation.ts [${Object.keys(workloads).join("] [")}]

Runs the workloads in one step, natively and emulated (npm run build first; root), and prints the least processor time (user
and system) of several rounds, as bash measures it inside the step.
  BENCH_BASE      image of Debian's with gcc, python3 and nodejs, for this machine's processor and the other
  BENCH_QEMU      programs of qemu to try one after the other, separated by colons; those of the machine where absent
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
let builds = 0;
const asked = process.argv.slice(2);
const chosen = Object.entries(workloads).filter(
  ([name]) => asked.length === 0 || asked.includes(name),
);

/** One column of the table. */
interface Contender {
  readonly name: string;
  readonly builder: string;
  readonly platform: string;
  readonly qemu?: string;
}

const contenders: readonly Contender[] = [
  { name: "kiln, native", builder: kiln, platform: native },
  ...(BENCH_QEMU ?? "")
    .split(":")
    .map((qemu) => ({ name: `kiln ${qemu}`, builder: kiln, platform: emulated, qemu })),
  ...(NEIGHBOUR
    ? [
        { name: "neighbour, native", builder: NEIGHBOUR, platform: native },
        { name: "neighbour", builder: NEIGHBOUR, platform: emulated },
      ]
    : []),
];
try {
  const context = writeContext();
  const least = new Map<string, number>();
  for (let round = 0; round < Number(BENCH_ROUNDS); round++)
    // Who begins takes turns.
    for (const one of round % 2 === 0 ? contenders : contenders.toReversed())
      for (const [workload, seconds] of measure(one, context)) {
        const key = `${one.name} ${workload}`;
        least.set(key, Math.min(seconds, least.get(key) ?? Number.POSITIVE_INFINITY));
      }
  const row = (cells: readonly string[]) => `| ${cells.join(" | ")} |\n`;
  process.stdout.write(row(["", ...contenders.map(({ name }) => name)]));
  for (const [name] of chosen)
    process.stdout.write(
      row([name, ...contenders.map((one) => (least.get(`${one.name} ${name}`) ?? 0).toFixed(2))]),
    );
} finally {
  rmSync(place, { recursive: true, force: true });
}

function writeContext(): string {
  const context = join(place, "context");
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
    writeFileSync(join(context, "files", `${at}`), `${(at * 7919) % 10_007} line\n`.repeat(7000));
  const lines = chosen.map(
    ([name, script]) => `echo "CPU ${name} $( { time { ${script} ; } >/tmp/out 2>&1 ; } 2>&1 )"`,
  );
  writeFileSync(join(context, "measure.sh"), `set -e\nTIMEFORMAT="%U %S"\n${lines.join("\n")}\n`);
  writeFileSync(
    join(context, "Dockerfile"),
    `FROM ${BENCH_BASE}\nCOPY . /work/\nARG ROUND\nRUN bash /work/measure.sh\n`,
  );
  return context;
}

/** Seconds of processor time of each workload, in a step that runs anew. */
function measure(one: Contender, context: string): readonly (readonly [string, number])[] {
  const [program = "", ...words] = one.builder.split(" ").filter(Boolean);
  const anew = ["--build-arg", `ROUND=${Date.now()}-${++builds}`, "--progress", "plain"];
  const args = [...words, "--platform", one.platform, ...anew, context];
  const { status, stderr, error } = spawnSync(program, args, {
    env: {
      ...process.env,
      KILN_ROOT: process.env["KILN_ROOT"] ?? join(place, "root"),
      ...(one.qemu ? { KILN_QEMU: `${architectureOf(one.platform)}=${one.qemu}` } : {}),
    },
    encoding: "utf8",
    maxBuffer: 64 << 20,
  });
  if (status !== 0) throw error ?? new Error(`${one.name} failed:\n${stderr.slice(-2000)}`);
  const found = [...stderr.matchAll(/ CPU (\w+) ([\d.]+) ([\d.]+)$/gm)].map(
    ([, name = "", user, system]) => [name, Number(user) + Number(system)] as const,
  );
  process.stderr.write(
    `${one.name}: ${found.map(([name, s]) => `${name} ${s.toFixed(2)}`).join(", ")}\n`,
  );
  return found;
}

function architectureOf(platform: string): string {
  return platform.split("/")[1] ?? "";
}
