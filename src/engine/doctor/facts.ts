// What is known of the machine before it is judged. Reading only; nothing is changed.
import { execFile } from "node:child_process";
import { accessSync, constants, existsSync, readFileSync, statfsSync } from "node:fs";
import { release, userInfo } from "node:os";
import { basename, dirname } from "node:path";
import { promisify } from "node:util";
import { type Call, isAbortError } from "../../base/index.ts";
import {
  binfmtDirectory,
  type Emulator,
  findEmulators,
  findInPath,
  type HandlerTable,
  readHandlerTable,
} from "../executor/index.ts";
import { type IsolationReport, probeIsolation } from "../isolation/index.ts";
import { type Distribution, parseDistribution } from "./distribution.ts";

/** A program that builds may use: where it is and what it says of its version. */
export interface Tool {
  readonly name: string;
  /** Undefined where it is not installed. */
  readonly path: string | undefined;
  readonly version: string | undefined;
}

/** The file system that holds Kiln's store, or will. */
export interface Disk {
  readonly root: string;
  /** Whether this user can write there. */
  readonly writable: boolean;
  /** statfs(2)'s magic number. */
  readonly type: number;
  readonly free: number;
  readonly total: number;
  readonly freeInodes: number;
  readonly inodes: number;
}

export interface Facts {
  readonly uid: number;
  readonly user: string;
  readonly distribution: Distribution;
  readonly kernel: string;
  readonly node: string;
  /** Switches below /proc/sys, by path; undefined where the kernel has none of that name. */
  readonly switches: Readonly<Record<string, string | undefined>>;
  readonly isolation: IsolationReport;
  readonly tools: Readonly<Record<string, Tool>>;
  readonly handlers: HandlerTable;
  readonly emulators: readonly (Emulator & { readonly version: string | undefined })[];
  readonly machine: string;
  /** Text of /proc/self/mountinfo and /proc/self/cgroup. */
  readonly mounts: string;
  readonly groups: string;
  /** Of this process's own version 2 group; undefined where it has none. */
  readonly controllers: string | undefined;
  readonly groupWritable: boolean;
  /** /dev/net/tun, by which programs carry packets. */
  readonly tun: "open" | "closed" | "absent";
  readonly disk: Disk;
}

/** Switches of distributions and administrators for user namespaces. */
export const namespaceSwitches = {
  most: "user/max_user_namespaces",
  clone: "kernel/unprivileged_userns_clone",
  apparmor: "kernel/apparmor_restrict_unprivileged_userns",
} as const;

const toolNames = [
  "crun",
  "runc",
  "newuidmap",
  "fuse-overlayfs",
  "proot",
  "git",
  "ssh",
  "unshare",
  "slirp4netns",
  "pasta",
  "ip",
] as const;

/** Looks at everything; a few tenths of a second. `root` is where the store is or will be. */
export async function gatherFacts(
  root: string,
  environment: Readonly<Record<string, string | undefined>>,
  machine: string,
  call: Call,
): Promise<Facts> {
  const path = environment["PATH"] ?? "";
  const [isolation, tools, emulators] = await Promise.all([
    probeIsolation(call, path),
    Promise.all(toolNames.map((name) => lookAtTool(name, path, call))),
    Promise.all(
      findEmulators(`${environment["KILN_QEMU"] ?? ""}:${path}:/usr/bin:/usr/local/bin`)
        .filter(({ architecture }) => architecture !== machine)
        .map(async (one) => ({ ...one, version: await versionOf(one.path, call) })),
    ),
  ]);
  const groups = readText("/proc/self/cgroup") ?? "";
  const own = `/sys/fs/cgroup${/^0::(.*)$/m.exec(groups)?.[1] ?? ""}`;
  return {
    uid: process.geteuid?.() ?? 0,
    user: userName(),
    distribution: parseDistribution(readText("/etc/os-release") ?? ""),
    kernel: release(),
    node: process.version,
    switches: Object.fromEntries(
      Object.values(namespaceSwitches).map((name) => [name, readText(`/proc/sys/${name}`)?.trim()]),
    ),
    isolation,
    tools: Object.fromEntries(tools.map((tool) => [tool.name, tool])),
    handlers: readHandlerTable(binfmtDirectory),
    emulators,
    machine,
    mounts: readText("/proc/self/mountinfo") ?? "",
    groups,
    controllers: readText(`${own}/cgroup.controllers`)?.trim(),
    groupWritable: canWrite(`${own}/cgroup.procs`),
    tun: lookAtTun("/dev/net/tun"),
    disk: lookAtDisk(root),
  };
}

async function lookAtTool(name: string, search: string, call: Call): Promise<Tool> {
  const path = findInPath(name, search);
  const version = path === undefined ? undefined : await versionOf(path, call);
  return { name, path, version };
}

/** The first word that looks like a version in what the program says of itself, where it can be told from others'. */
async function versionOf(path: string, call: Call): Promise<string | undefined> {
  const flag = path.endsWith("/ssh") ? "-V" : "--version";
  try {
    // A signal of its own for each program: many run at once.
    const options = { signal: AbortSignal.any([call.signal]), timeout: 5000 };
    const { stdout, stderr } = await promisify(execFile)(path, [flag], options);
    const said = stdout || stderr;
    // fuse-overlayfs names the version of fusermount3 first.
    const own = said.split("\n").find((line) => line.startsWith(`${basename(path)}:`));
    return /\d+\.\d+(?:\.\d+)*(?:p\d+)?/.exec(own ?? said)?.[0];
  } catch (error) {
    if (isAbortError(error) && call.signal.aborted) throw error;
    return undefined;
  }
}

function lookAtDisk(root: string): Disk {
  let place = root;
  while (!existsSync(place) && place !== dirname(place)) place = dirname(place);
  const { type, bavail, bsize, blocks, ffree, files } = statfsSync(place);
  return {
    root,
    writable: canWrite(place),
    type,
    free: bavail * bsize,
    total: blocks * bsize,
    freeInodes: ffree,
    inodes: files,
  };
}

function lookAtTun(path: string): Facts["tun"] {
  if (!existsSync(path)) return "absent";
  return canWrite(path) ? "open" : "closed";
}

function canWrite(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.geteuid?.() ?? 0);
  }
}
