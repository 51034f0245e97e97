// Contexts and results through a session, Kiln's client and daemon beside a neighbour's: `npx tsx bench/session.ts --help`.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout } from "node:timers/promises";

const files = Number(process.env["BENCH_FILES"] ?? 20_000);
const largeSize = Number(process.env["BENCH_LARGE_MIB"] ?? 1024) << 20;
/** Clock ticks of /proc/PID/stat in a second (USER_HZ). */
const ticks = 100;

/** A client and the daemon that it speaks to. */
interface Pair {
  readonly name: string;
  /** Up to `build`'s own flags. */
  readonly build: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** The daemon's processes. */
  readonly pids: () => readonly number[];
}

interface Spent {
  readonly wall: number;
  /** CPU seconds of the client and of the daemon. */
  readonly client: number;
  readonly daemon: number;
}

const { KILN = resolve(import.meta.dirname, "../bin/kiln") } = process.env;
const { NEIGHBOUR, NEIGHBOUR_DAEMON = "dockerd,containerd", BENCH_ROUNDS = "3" } = process.env;
const [place = tmpdir(), ...rows] = process.argv.slice(2);
if (place === "--help") {
  process.stdout.write(`NEIGHBOUR="docker buildx" npx tsx bench/session.ts [DIRECTORY [ROW...]]

Sends contexts of ${files} small files and of one file of ${largeSize >> 20} MiB to a daemon, and fetches results from it, with Kiln's
client and \`kiln serve\` (npm run build first; root) and a neighbour's in turn. Rounds begin with a context that the daemon
has not seen under its name; the step that copies it is cached. Rows: upload-small upload-large oci-small oci-large local-small
local-large.
  KILN              the command; bin/kiln
  NEIGHBOUR         the other client's command, up to \`build\`; none where absent
  NEIGHBOUR_DAEMON  names of its daemon's processes, whose CPU time counts; dockerd,containerd
  BENCH_FILES       how many small files; 20000
  BENCH_LARGE_MIB   size of the large file; 1024
  STOCK             set to try NEIGHBOUR against \`kiln serve\` too
  BENCH_ROUNDS      how often; 3
`);
  process.exit(0);
}

/** Of all threads, and of children that were waited for. */
function cpuOf(pids: readonly number[]): number {
  let sum = 0;
  for (const pid of pids) {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    for (const field of [11, 12, 13, 14]) sum += Number(fields[field]);
  }
  return sum / ticks;
}

/** The client is waited for, so that its CPU time is this process's children's. */
function cpuOfClients(): number {
  const stat = readFileSync("/proc/self/stat", "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[13]) + Number(fields[14])) / ticks;
}

function run({ name, build, env, pids }: Pair, args: readonly string[]): Spent {
  const [program = "", ...words] = build;
  const before = { daemon: cpuOf(pids()), client: cpuOfClients(), at: performance.now() };
  const { status, stderr, error } = spawnSync(program, [...words, "--progress=plain", ...args], {
    env,
    encoding: "utf8",
    maxBuffer: 64 << 20,
  });
  const wall = (performance.now() - before.at) / 1000;
  if (status !== 0) throw error ?? new Error(`${name} failed:\n${stderr.slice(-2000)}`);
  return {
    wall,
    client: cpuOfClients() - before.client,
    daemon: cpuOf(pids()) - before.daemon,
  };
}

function makeContexts(root: string): void {
  for (let at = 0; at < files; at++) {
    const folder = join(root, "small", `d${at % 211}`, `e${at % 7}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `f${at}`), `${at} `.repeat(50 + (at % 400)));
  }
  mkdirSync(join(root, "large"));
  const file = openSync(join(root, "large/file"), "w");
  // Noise, so that nothing is smaller packed.
  const piece = randomBytes(1 << 20);
  for (let at = 0; at < largeSize; at += piece.length) {
    piece[0] = at >> 20;
    piece[1] = at >> 28;
    writeSync(file, piece);
  }
  closeSync(file);
  for (const name of ["small", "large"])
    writeFileSync(join(root, name, "Dockerfile"), "FROM scratch\nCOPY . /\n");
}

async function startDaemon(root: string): Promise<{ daemon: ChildProcess; address: string }> {
  const socket = join(root, "kilnd.sock");
  const [kiln = "", ...words] = KILN.split(" ");
  const args = [...words, "serve", "--root", join(root, "kiln"), "--addr", `unix://${socket}`];
  const daemon = spawn(kiln, args, { stdio: ["ignore", "ignore", "inherit"] });
  while (!existsSync(socket)) await setTimeout(50);
  return { daemon, address: `unix://${socket}` };
}

function pairsOf(root: string, daemon: ChildProcess, address: string): readonly Pair[] {
  const own = {
    name: "kiln",
    build: [...KILN.split(" "), "build"],
    env: { ...process.env, BUILDKIT_HOST: address, BUILDX_CONFIG: join(root, "kiln-builders") },
    pids: () => [daemon.pid as number],
  };
  if (!NEIGHBOUR) return [own];
  const words = NEIGHBOUR.split(" ");
  const names = NEIGHBOUR_DAEMON.split(",");
  const found = spawnSync("pgrep", ["-x", names.join("|")], { encoding: "utf8" }).stdout.trim();
  const pids = found.split("\n").map(Number);
  const neighbour = { name: "neighbour", build: [...words, "build"], env: process.env };
  if (!process.env["STOCK"]) return [own, { ...neighbour, pids: () => pids }];
  const env = { ...process.env, BUILDX_CONFIG: join(root, "buildx") };
  const [program = "", ...more] = words;
  spawnSync(program, [...more, "create", "--name", "bench", "--driver", "remote", address], {
    env,
  });
  const build = [...words, "build", "--builder", "bench"];
  return [own, { ...neighbour, pids: () => pids }, { ...own, name: "stock client", build, env }];
}

/** What a row runs in the context; `fresh` under a name that the daemon does not know. */
const workloads: Readonly<Record<string, { context: string; output?: string }>> = {
  "upload-small": { context: "small" },
  "upload-large": { context: "large" },
  "oci-small": { context: "small", output: "oci" },
  "oci-large": { context: "large", output: "oci" },
  "local-small": { context: "small", output: "local" },
  "local-large": { context: "large", output: "local" },
};

function compare(row: string, root: string, pairs: readonly Pair[]): void {
  const { context, output } = workloads[row] ?? { context: "small" };
  const spent = pairs.map((): Spent[] => []);
  let fixed = join(root, context);
  const out = join(root, "out");
  const plain = output === "oci" ? ",compression=uncompressed" : "";
  const flags = output ? ["-o", `type=${output},dest=${out}${plain}`] : [];
  for (const pair of pairs) run(pair, [fixed]);
  if (output) for (const pair of pairs) run(pair, [...flags, fixed]);
  for (let round = 0; round < Number(BENCH_ROUNDS); round++) {
    for (let turn = 0; turn < pairs.length; turn++) {
      const who = (round + turn) % pairs.length;
      rmSync(out, { recursive: true, force: true });
      const used = output ? fixed : join(root, `${context}-${round}-${who}`);
      if (!output) renameSync(fixed, used);
      fixed = used;
      spent[who]?.push(run(pairs[who] as Pair, [...flags, used]));
    }
  }
  renameSync(fixed, join(root, context));
  rmSync(out, { recursive: true, force: true });
  report(row, pairs, spent);
}

function report(row: string, pairs: readonly Pair[], spent: readonly (readonly Spent[])[]): void {
  const least = spent.map((list) => ({
    wall: Math.min(...list.map(({ wall }) => wall)),
    cpu: Math.min(...list.map(({ client, daemon }) => client + daemon)),
    best: list.toSorted((a, b) => a.client + a.daemon - b.client - b.daemon)[0] as Spent,
  }));
  pairs.forEach(({ name }, at) => {
    const { wall, cpu, best } = least[at] as (typeof least)[number];
    const base = least[1];
    const ratio =
      base && at !== 1
        ? `; of the neighbour: wall ${(wall / base.wall).toFixed(2)}, CPU ${(cpu / base.cpu).toFixed(2)}`
        : "";
    process.stdout.write(
      `${row.padEnd(13)} ${name.padEnd(13)} wall ${wall.toFixed(2)} s, CPU ${cpu.toFixed(2)} s (client ${best.client.toFixed(2)}, daemon ${best.daemon.toFixed(2)})${ratio}\n`,
    );
  });
}

const root = mkdtempSync(join(place, "kiln-session-"));
const { daemon, address } = await startDaemon(root);
try {
  makeContexts(root);
  const pairs = pairsOf(root, daemon, address);
  for (const row of rows.length > 0 ? rows : Object.keys(workloads)) compare(row, root, pairs);
} finally {
  const ended = new Promise((done) => daemon.once("exit", done));
  daemon.kill("SIGTERM");
  await ended;
  rmSync(root, { recursive: true, force: true });
}
