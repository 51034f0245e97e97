// How a runtime is told to run one bundle, on a leash: nothing that it started outlives it, and it does not outlive us.
import { spawnSync } from "node:child_process";
import { log } from "../../base/index.ts";
import type { StepPrograms } from "./programs/step-programs.ts";
import { findInPath, type Runtime } from "./runtime.ts";

const debug = log("executor");

/** Words that go before a command. */
export interface Leash {
  /** Before words that get the command into namespaces: what follows dies with us. Empty where nothing does that. */
  readonly deadly: readonly string[];
  /** Behind them: a process namespace of its own, which dies as a whole with its first process. */
  readonly parted: readonly string[];
  /** Whether `parted` alone also dies with us. */
  readonly whole: boolean;
}

/** Of our own program, or of util-linux's; the latter are looked for in `path`, a list as in PATH. */
export function findLeash({ name }: Runtime, programs: StepPrograms, path: string): Leash {
  // runc looks for processes in /proc by the numbers of its own namespace, which our program does not show there.
  const own = name === "crun" ? programs.leash() : undefined;
  if (own !== undefined) return { deadly: [own], parted: [own], whole: true };
  return foundLeash(path, name === "runc" ? ["--mount-proc"] : []);
}

/** Programs of the same names that are not util-linux's lack the options, and a step without a leash is better than none. */
function foundLeash(path: string, more: readonly string[]): Leash {
  const none = { deadly: [], parted: [], whole: false };
  const setpriv = findInPath("setpriv", path);
  const unshare = findInPath("unshare", path);
  const nothing = findInPath("true", path);
  if (setpriv === undefined || unshare === undefined || nothing === undefined) return none;
  const deadly = [setpriv, "--pdeathsig", "KILL"];
  const parted = [unshare, "--pid", "--fork", "--kill-child"];
  const { status } = spawnSync(setpriv, [...deadly.slice(1), ...parted, nothing], {
    stdio: "ignore",
  });
  if (status === 0) return { deadly, parted: [...parted, ...more], whole: false };
  debug.debug(
    "steps may outlive a killed kiln: setpriv and unshare of util-linux do not work here",
    { status },
  );
  return none;
}

/** The command that runs the bundle and ends when its process has. */
export function runCommand(
  { name, path }: Runtime,
  leash: Leash,
  options: {
    readonly stateDir: string;
    readonly bundle: string;
    readonly logFile: string;
    readonly id: string;
    /** How many descriptors behind the usual three the process gets. */
    readonly descriptors?: number;
    /** Words that get it into namespaces; dies with us all the same. */
    readonly enter: readonly string[];
  },
): readonly string[] {
  const flags = ["--root", options.stateDir, "--log", options.logFile, "--log-format", "json"];
  if (name === "crun") flags.push("--cgroup-manager=disabled");
  return [
    ...(leash.whole && options.enter.length === 0 ? [] : leash.deadly),
    ...options.enter,
    ...leash.parted,
    path,
    ...flags,
    "run",
    ...(options.descriptors ? [`--preserve-fds=${options.descriptors}`] : []),
    "--bundle",
    options.bundle,
    options.id,
  ];
}
