// What of the ladder works on this machine for this user, rung by rung, with the reason where one does not.
import { closeSync, constants, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { release, tmpdir } from "node:os";
import { join } from "node:path";
import { type Call, throwIfAborted } from "../../base/index.ts";
import { rangeOwner } from "./id-ranges.ts";
import { type Isolation, isInitial, type Owners, readIdMap } from "./isolation.ts";
import {
  findNamespaceCommand,
  manyObstacle,
  type NamespaceCommand,
  type Obstacle,
  tryRun,
} from "./namespace.ts";
import { findProgram } from "./programs.ts";

/** One rung of the ladder, tried. */
export interface RungReport {
  readonly isolation: Isolation;
  readonly works: boolean;
  /** Why it does not work. */
  readonly reason?: string;
  /** What to do about it. */
  readonly hint?: string;
  readonly owners: Owners;
}

/** Everything about isolation that a person may want to know. */
export interface IsolationReport {
  /** Best first. */
  readonly rungs: readonly RungReport[];
  /** The first that works; undefined where none does. */
  readonly chosen: Isolation | undefined;
  /** Whether files can have several owners in a user namespace, or why not. */
  readonly owners: Owners;
  readonly ownersObstacle?: Obstacle;
  /** Whether emulators can be registered for one build alone. */
  readonly privateHandlers: { readonly works: boolean } & Partial<Obstacle>;
  /** Whether /sys/fs/cgroup can be made a private one. */
  readonly cgroup2: { readonly works: boolean } & Partial<Obstacle>;
}

const capSysAdmin = 21n;

/** Tries every rung; about 50 ms. Leaves nothing behind. */
export async function probeIsolation(
  call: Call,
  path: string = process.env["PATH"] ?? "",
): Promise<IsolationReport> {
  throwIfAborted(call);
  const owner = rangeOwner();
  const command = findNamespaceCommand(owner, path);
  const ownersObstacle = manyObstacle(owner, path);
  const namespace = "words" in command ? command : undefined;
  const owners = namespace?.owners ?? "one";
  const inside = (script: string) =>
    namespace === undefined ? "there is no user namespace" : runInside(namespace, script);
  const rungs: RungReport[] = [
    report("root", "many", rootObstacle()),
    report("userns", owners, "words" in command ? overlayObstacle(inside) : command),
    report("userns-fuse", owners, "words" in command ? fuseObstacle(path) : command),
    report("userns-copy", owners, "words" in command ? undefined : command),
    report("proot", "one", prootObstacle(path)),
  ];
  const binfmt = inside('mount -t binfmt_misc kiln "$1/a" && test -w "$1/a/register"');
  const cgroup2 = inside('mount -t cgroup2 kiln "$1/a"');
  return {
    rungs,
    chosen: rungs.find(({ works }) => works)?.isolation,
    owners,
    ...(owners === "many" || ownersObstacle === undefined ? {} : { ownersObstacle }),
    privateHandlers: answer(binfmt, namespace && binfmtHint()),
    cgroup2: answer(cgroup2),
  };
}

/** Why this process cannot work as root does. */
export function rootObstacle(): Obstacle | undefined {
  if (process.geteuid?.() !== 0) return { reason: "this user is not root" };
  if (!isInitial(readIdMap("/proc/self/uid_map")))
    return { reason: "root of a user namespace has not all rights" };
  const mask = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
  if (mask !== undefined && ((BigInt(`0x${mask}`) >> capSysAdmin) & 1n) === 0n)
    return {
      reason: "root may not mount here (CAP_SYS_ADMIN is missing)",
      hint: "Start the container with --privileged or --cap-add SYS_ADMIN.",
    };
  return undefined;
}

/** Why proot is no way out. */
export function prootObstacle(path: string): Obstacle | undefined {
  const proot = findProgram("proot", path);
  if (proot === undefined)
    return { reason: "proot is not installed", hint: "Install it: apt-get install proot" };
  const refused = tryRun([proot, "-0"]);
  return refused === undefined
    ? undefined
    : { reason: `proot does not work: ${refused}`, hint: "Allow the system call ptrace." };
}

/** Why fuse-overlayfs is no way out. */
export function fuseObstacle(path: string): Obstacle | undefined {
  if (findProgram("fuse-overlayfs", path) === undefined)
    return {
      reason: "fuse-overlayfs is not installed",
      hint: "Install it, as root: apt-get install fuse-overlayfs",
    };
  try {
    closeSync(openSync("/dev/fuse", constants.O_RDWR));
    return undefined;
  } catch (error) {
    return {
      reason: `/dev/fuse cannot be opened (${(error as NodeJS.ErrnoException).code})`,
      hint: "Run as root: modprobe fuse && chmod 666 /dev/fuse (in a container: --device /dev/fuse)",
    };
  }
}

function overlayObstacle(inside: (script: string) => string | undefined): Obstacle | undefined {
  const refused = inside(
    'mount -t tmpfs kiln "$1/a" && cd "$1/a" && mkdir l u w m && mount -t overlay -o userxattr,lowerdir=l,upperdir=u,workdir=w kiln m',
  );
  if (refused === undefined) return undefined;
  return {
    reason: `overlay cannot be mounted in a user namespace: ${refused}`,
    hint: `Linux 5.11 or newer does that; this is ${release()}.`,
  };
}

function runInside({ words }: NamespaceCommand, script: string): string | undefined {
  const directory = mkdtempSync(join(tmpdir(), "kiln-probe-"));
  try {
    return tryRun(words, ["sh", "-c", `mkdir "$1/a" && ${script}`, "sh", directory]);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function report(isolation: Isolation, owners: Owners, obstacle: Obstacle | undefined): RungReport {
  return { isolation, owners, works: obstacle === undefined, ...obstacle };
}

function answer(
  refused: string | undefined,
  hint?: string,
): { works: boolean } & Partial<Obstacle> {
  if (refused === undefined) return { works: true };
  return { works: false, reason: refused, ...(hint === undefined ? {} : { hint }) };
}

function binfmtHint(): string {
  return `Linux 6.7 or newer lets a user namespace register emulators of its own; this is ${release()}. Until then register them for the machine: kiln binfmt --install all, as root.`;
}
