// The builders that benches compare, each by the same words, and what their commands cost: time, processor time and memory.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

/** A program and its arguments. */
export type Command = readonly string[];

/** One build of a directory to an image. */
export interface Build {
  readonly directory: string;
  readonly image: string;
  /** Separated by commas; this machine's where absent. */
  readonly platforms?: string | undefined;
  /** Where present, layers are packed in that way and the image is pushed; else it stays with the builder. */
  readonly push?: "gzip" | "zstd";
  /** Steps run again whatever is remembered. */
  readonly anew?: boolean;
  readonly target?: string;
}

/** Disposing removes the store or, of a daemon, the images that were built. */
export interface Builder extends Disposable {
  readonly name: string;
  readonly env: NodeJS.ProcessEnv;
  /** Up to the subcommand, with the store that it shall use. */
  readonly command: Command;
  build(build: Build): readonly Command[];
  /** All `targets` of docker-bake.hcl in `directory`, which takes steps' network from the variable NETWORK. */
  bake(directory: string, targets: readonly string[]): readonly Command[];
  /** Forgets all it has, where it has a store of its own: a daemon that others use keeps its own. */
  forget(): void;
  /** Processes that work for it beside the command's own. */
  daemons(): readonly number[];
}

export interface Spent {
  /** Seconds by the clock. */
  readonly wall: number;
  /** Seconds of all processors, of the command with all it starts and of the daemons. */
  readonly cpu: number;
  /** The command's largest process, in bytes; undefined without GNU time. */
  readonly memory: number | undefined;
  /** The daemons together at their peaks, in bytes. */
  readonly daemonMemory: number;
  /** Seconds that the builder says it spent unpacking the finished image into a store from which containers start. */
  readonly unpacking: number;
}

/** A command that failed, with the end of what it said. */
export class BuilderFailed extends Error {}

/** Clock ticks of /proc/PID/stat in a second (USER_HZ). */
const ticks = 100;
const gnuTime = "/usr/bin/time";
const largestOutput = 256 << 20;

const { KILN = resolve(import.meta.dirname, "../bin/kiln"), BENCH_DAEMONS } = process.env;
const platformFlag = (list?: string) => (list === undefined ? [] : ["--platform", list]);

function output({ image, push }: Build): string {
  const packed = push === "zstd" ? ",compression=zstd,oci-mediatypes=true" : "";
  return `type=image,name=${image},push=${push !== undefined}${packed}`;
}

function buildFlags(build: Build): readonly string[] {
  return [
    ...["--progress", "plain", "--output", output(build)],
    ...platformFlag(build.platforms),
    ...(build.anew ? ["--no-cache"] : []),
    ...(build.target === undefined ? [] : ["--target", build.target]),
    build.directory,
  ];
}

const bakeFlags = (directory: string): readonly string[] => [
  ...["--progress", "plain", "--allow", `fs.read=${directory}`],
  ...["-f", join(directory, "docker-bake.hcl")],
];

/** Kiln with a store below `place`. */
export function kilnBelow(place: string): Builder {
  const root = join(place, "kiln");
  const [program = "", ...words] = KILN.split(" ");
  const kiln = [program, ...words, "--root", root];
  const forget = () => rmSync(root, { recursive: true, force: true });
  return {
    name: "kiln",
    env: process.env,
    command: kiln,
    build: (build) => [[...kiln, "build", ...buildFlags(build)]],
    bake: (directory) => [[...kiln, "bake", ...bakeFlags(directory)]],
    forget,
    [Symbol.dispose]: forget,
    daemons: () => [],
  };
}

/** Docker's buildx with the builder that is chosen; steps have the machine's network, which costs it least. */
export function buildxHere(): Builder {
  const buildx = ["docker", "buildx"];
  const images = new Set<string>();
  const daemons = BENCH_DAEMONS?.split(",").map(Number) ?? pidsOf("dockerd|containerd|buildkitd");
  return {
    name: "buildx",
    env: { ...process.env, NETWORK: "host" },
    command: buildx,
    build: (build) => {
      images.add(build.image);
      return [[...buildx, "build", "--network", "host", ...buildFlags(build)]];
    },
    bake: (directory, targets) => {
      for (const target of targets) images.add(`bench:${target}`);
      return [[...buildx, "bake", "--allow", "network.host", ...bakeFlags(directory)]];
    },
    forget: () => undefined,
    [Symbol.dispose]: () => {
      spawnSync("docker", ["rmi", "-f", ...images], { stdio: "ignore" });
    },
    daemons: () => daemons,
  };
}

/** Buildah with a store below `place`; it packs layers when it pushes, and builds several targets one after the other. */
export function buildahBelow(place: string): Builder {
  const stores = ["--root", join(place, "storage"), "--runroot", join(place, "run")];
  const buildah = ["buildah", ...stores];
  const insecure = "--tls-verify=false";
  const build = (asked: Build): readonly Command[] => {
    const several = asked.platforms?.includes(",") === true;
    const flags = ["--layers", "--network", "host", insecure, ...platformFlag(asked.platforms)];
    const jobs = several ? ["--jobs", "3", "--manifest", asked.image] : ["-t", asked.image];
    const target = asked.target === undefined ? [] : ["--target", asked.target];
    const built = [...buildah, "build", ...flags, ...jobs, ...target];
    const made = [...built, ...(asked.anew ? ["--no-cache"] : []), asked.directory];
    if (asked.push === undefined) return [made];
    const push = several ? ["manifest", "push", "--all"] : ["push"];
    const packed = several ? [] : ["--compression-format", asked.push];
    return [
      made,
      [...buildah, ...push, insecure, ...packed, asked.image, `docker://${asked.image}`],
    ];
  };
  const forget = () => {
    spawnSync("buildah", [...stores, "rmi", "-a", "-f"], { stdio: "ignore" });
  };
  return {
    name: "buildah",
    // crun of older distributions refuses two kinds of cgroups at once, runc does not.
    env: { BUILDAH_RUNTIME: "runc", ...process.env },
    command: buildah,
    build,
    bake: (directory, targets) =>
      targets.flatMap((target) => build({ directory, image: `bench:${target}`, target })),
    forget,
    [Symbol.dispose]: forget,
    daemons: () => [],
  };
}

/** Those of the three that are on this machine, and among `names`. */
export function buildersBelow(place: string, names: readonly string[]): readonly Builder[] {
  const all = [kilnBelow(place), buildxHere(), buildahBelow(place)];
  return all.filter(({ name }) => names.includes(name) && (name === "kiln" || isHere(name)));
}

export function isHere(builder: string): boolean {
  const command = builder === "buildx" ? ["docker", "buildx", "inspect"] : [builder, "--version"];
  return spawnSync(command[0] ?? "", command.slice(1)).status === 0;
}

/** Runs the commands one after the other. @throws BuilderFailed for the first that does not end well. */
export function spend({ name, env, daemons }: Builder, commands: readonly Command[]): Spent {
  const pids = daemons();
  const peak = join(tmpdir(), `kiln-bench-peak-${process.pid}`);
  const measured = existsSync(gnuTime);
  forgetPeaks(pids);
  let memory = 0;
  let unpacking = 0;
  const [begun, used] = [performance.now(), processorTime(pids)];
  for (const command of commands) {
    const [program = "", ...args] = measured
      ? [gnuTime, "--quiet", "-f", "%M", "-o", peak, ...command]
      : command;
    const ran = spawnSync(program, args, { env, encoding: "utf8", maxBuffer: largestOutput });
    if (ran.status !== 0)
      throw new BuilderFailed(`${name} failed: ${ran.error ?? ran.stderr.trim().slice(-1000)}`);
    unpacking += unpackingIn(ran.stderr);
    if (measured) memory = Math.max(memory, Number(readFileSync(peak, "utf8")) * 1024);
  }
  const wall = (performance.now() - begun) / 1000;
  const cpu = processorTime(pids) - used;
  rmSync(peak, { force: true });
  const daemonMemory = pids.reduce((sum, pid) => sum + peakOf(pid), 0);
  return { wall, cpu, memory: measured ? memory : undefined, daemonMemory, unpacking };
}

/** In seconds, of children that have ended and of the processes with their children. */
export function processorTime(pids: readonly number[]): number {
  const spent = (pid: number | "self", fields: readonly number[]) => {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const values = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields.reduce((sum, field) => sum + Number(values[field]), 0);
  };
  // utime, stime, cutime, cstime: proc(5), counted from the state.
  const all = [spent("self", [13, 14]), ...pids.map((pid) => spent(pid, [11, 12, 13, 14]))];
  return all.reduce((sum, one) => sum + one, 0) / ticks;
}

/** Process ids by name, an extended regular expression for the whole of it. */
export function pidsOf(names: string): readonly number[] {
  const found = spawnSync("pgrep", ["-x", names], { encoding: "utf8" }).stdout ?? "";
  return found.split("\n").filter(Boolean).map(Number);
}

/** The middle one, or the lower of the two in the middle. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[(values.length - 1) >> 1] ?? Number.NaN;
}

/** What dockerd says of it in plain progress: the last time of each image. */
function unpackingIn(progress: string): number {
  const found = [...progress.matchAll(/ unpacking to \S+ ([\d.]+)s done$/gm)];
  return found.reduce((sum, [, seconds]) => sum + Number(seconds), 0);
}

/** Peaks begin again at what is in memory now. */
function forgetPeaks(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      writeFileSync(`/proc/${pid}/clear_refs`, "5");
    } catch {
      // Of another user: the peak is that of its whole life.
    }
  }
}

function peakOf(pid: number): number {
  const [, kilobytes = "0"] =
    /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kilobytes) * 1024;
}
