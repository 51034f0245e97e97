// Limits of a step's processes: control groups of its own, of whichever version holds the controllers here.
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from "node:fs";
import { join, posix } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { StepResources } from "../../api/index.ts";
import { loadSyscalls } from "../../storage/snapshot/index.ts";

const MS_NOSUID = 2;
const MS_NODEV = 4;
const MS_NOEXEC = 8;

/** The groups of one step. Dispose them when its processes are gone. */
export interface LimitGroups extends AsyncDisposable {
  /** Files that take the number of a process which is to be limited, with all that it starts. */
  readonly procs: readonly string[];
  /** Processes of the step that were killed for lack of memory. */
  oomKills(): number;
}

export interface LimitOptions {
  readonly resources: StepResources;
  /** Group in which the step's is made, from the root of the hierarchy; "" for the root itself. */
  readonly parent: string;
  /** Of the group; no other step has it. */
  readonly name: string;
  /** Where version 1 hierarchies are mounted: in this process's private mount namespace. */
  readonly directory: string;
  readonly warn: (message: string) => void;
}

/** One line for a file of a group. */
export interface Setting {
  readonly controller: "memory" | "cpu" | "cpuset";
  readonly file: string;
  readonly value: string;
}

/** What to write for the limits, by version of the control groups; pure. */
export function limitSettings(limits: StepResources, version: 1 | 2): readonly Setting[] {
  const settings: Setting[] = [];
  const add = (controller: Setting["controller"], file: string, value: string | number) =>
    settings.push({ controller, file: `${controller}.${file}`, value: `${value}` });
  const { memory, memorySwap, cpuShares, cpuPeriod, cpuQuota, cpusetCpus, cpusetMems } = limits;
  if (memory !== undefined) add("memory", version === 1 ? "limit_in_bytes" : "max", memory);
  if (memorySwap !== undefined) {
    const swap = memorySwap === -1 ? "max" : Math.max(0, memorySwap - (memory ?? 0));
    if (version === 1) add("memory", "memsw.limit_in_bytes", memorySwap);
    else add("memory", "swap.max", swap);
  }
  if (cpuShares !== undefined && cpuShares > 0)
    add("cpu", version === 1 ? "shares" : "weight", version === 1 ? cpuShares : weight(cpuShares));
  if (version === 1) {
    if (cpuPeriod) add("cpu", "cfs_period_us", cpuPeriod);
    if (cpuQuota) add("cpu", "cfs_quota_us", cpuQuota);
  } else if (cpuPeriod || cpuQuota) {
    add("cpu", "max", `${cpuQuota || "max"} ${cpuPeriod || 100_000}`);
  }
  if (cpusetCpus !== undefined) add("cpuset", "cpus", cpusetCpus);
  if (cpusetMems !== undefined) add("cpuset", "mems", cpusetMems);
  return settings;
}

/** Shares, 2 to 262,144, on the scale of version 2, 1 to 10,000: as runtimes convert them. */
function weight(shares: number): number {
  const within = Math.min(Math.max(shares, 2), 262_144);
  return 1 + Math.floor(((within - 2) * 9999) / 262_142);
}

/** Undefined when nothing is to be limited. What cannot be limited here is told to `warn`, and the step runs without. */
export function openLimits(options: LimitOptions): LimitGroups | undefined {
  const { resources, parent, warn } = options;
  const wanted = new Set(limitSettings(resources, 2).map(({ controller }) => controller));
  if (wanted.size === 0 && parent === "") return undefined;
  const groups: string[] = [];
  const versions = controllerVersions(readFileSync("/proc/cgroups", "utf8"));
  for (const controller of wanted.size === 0 ? (["memory"] as const) : wanted) {
    try {
      const hierarchy = versions.get(controller);
      const group =
        hierarchy === undefined
          ? makeUnified(controller, options)
          : makeSeparate(controller, hierarchy, options);
      if (!groups.includes(group)) groups.push(group);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      warn(`the step's ${controller} cannot be limited on this machine: ${why}`);
    }
  }
  return {
    procs: groups.map((group) => join(group, "cgroup.procs")),
    oomKills: () => groups.reduce((sum, group) => sum + oomKillsOf(group), 0),
    async [Symbol.asyncDispose]() {
      for (const group of groups) await remove(group);
    },
  };
}

/** The version 1 hierarchies of /proc/cgroups: all controllers of the hierarchy that holds one. */
function controllerVersions(text: string): ReadonlyMap<string, string> {
  const rows = text
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => line.split("\t"));
  const separate = rows.filter(([, hierarchy]) => hierarchy !== "0");
  return new Map(
    separate.map(([name = "", hierarchy]) => [
      name,
      separate.flatMap(([other = "", one]) => (one === hierarchy ? [other] : [])).join(","),
    ]),
  );
}

function makeSeparate(
  controller: Setting["controller"],
  hierarchy: string,
  { resources, parent, name, directory }: LimitOptions,
): string {
  const mounted = join(directory, hierarchy);
  if (!existsSync(mounted)) {
    mkdirSync(mounted, { recursive: true });
    loadSyscalls().mount("cgroup", mounted, "cgroup", MS_NOSUID | MS_NODEV | MS_NOEXEC, hierarchy);
  }
  const above = join(mounted, posix.join("/", parent));
  mkdirSync(above, { recursive: true });
  sweep(above);
  const group = join(above, name);
  mkdirSync(group, { recursive: true });
  if (controller === "cpuset") inheritCpuset(mounted, group);
  write(group, limitSettings(resources, 1), controller);
  return group;
}

/** A group of processors without any takes no process: what is not asked for is as above. */
function inheritCpuset(mounted: string, group: string): void {
  let at = mounted;
  for (const part of group.slice(mounted.length + 1).split("/")) {
    const above = at;
    at = join(at, part);
    for (const file of ["cpuset.cpus", "cpuset.mems"]) {
      if (readFileSync(join(at, file), "utf8").trim() === "")
        writeFileSync(join(at, file), readFileSync(join(above, file), "utf8"));
    }
  }
}

function makeUnified(
  controller: Setting["controller"],
  { resources, parent, name }: LimitOptions,
): string {
  const root = "/sys/fs/cgroup";
  let above = root;
  for (const part of ["", ...posix.join("/", parent).split("/").filter(Boolean)]) {
    above = join(above, part);
    mkdirSync(above, { recursive: true });
    const enabled = readFileSync(join(above, "cgroup.subtree_control"), "utf8").trim().split(" ");
    if (!enabled.includes(controller))
      writeFileSync(join(above, "cgroup.subtree_control"), `+${controller}`);
  }
  sweep(above);
  const group = join(above, name);
  mkdirSync(group, { recursive: true });
  write(group, limitSettings(resources, 2), controller);
  return group;
}

function write(group: string, settings: readonly Setting[], controller: string): void {
  for (const setting of settings) {
    if (setting.controller === controller) writeFileSync(join(group, setting.file), setting.value);
  }
}

function oomKillsOf(group: string): number {
  for (const file of ["memory.events", "memory.oom_control"]) {
    try {
      const count = /^oom_kill (\d+)$/m.exec(readFileSync(join(group, file), "utf8"))?.[1];
      if (count !== undefined) return Number(count);
    } catch {
      // The group is of another controller or version.
    }
  }
  return 0;
}

/** Groups of processes that were killed before they could take theirs away. */
function sweep(above: string): void {
  for (const name of readdirSync(above)) {
    const pid = /^kiln-(\d+)-\d+$/.exec(name)?.[1];
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
    try {
      rmdirSync(join(above, name));
    } catch {
      // Something still ends in it; the next step looks again.
    }
  }
}

/** The kernel lets go of a group a moment after its last process. */
async function remove(group: string): Promise<void> {
  for (let left = 20; left > 0; left--) {
    try {
      rmdirSync(group);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EBUSY") return;
    }
    await setTimeout(20);
  }
}

/** How often the kernel has killed something for lack of memory since it started; 0 where it does not count. */
export function machineOomKills(): number {
  try {
    return Number(/^oom_kill (\d+)$/m.exec(readFileSync("/proc/vmstat", "utf8"))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

/** Each argument before `--` is a file that takes the number of this process. */
const enterGroups = `until [ "$1" = -- ]; do echo $$ > "$1" || exit 125; shift; done; shift; exec "$@"`;

/** The command with its process put into the groups before it begins. */
export function limitedCommand(
  command: readonly string[],
  procs: readonly string[],
): readonly string[] {
  return procs.length === 0
    ? command
    : ["/bin/sh", "-c", enterGroups, "sh", ...procs, "--", ...command];
}
