// The container runtime that is installed, and how it is told to run one bundle.
import { spawnSync } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { basename, join } from "node:path";
import { KilnError, log } from "../../base/index.ts";

const debug = log("executor");

export interface Runtime {
  readonly name: "crun" | "runc";
  /** Absolute. */
  readonly path: string;
  /** Programs that tie its life to ours, absolute, put before it; empty where they are not installed. */
  readonly leash: readonly string[];
  /** mount(8), absolute. */
  readonly mount: string;
}

/** In order of preference: crun starts a step in a third of the time. */
const known = ["crun", "runc"] as const;

const install =
  "Install one, as root: apt-get install crun (Fedora: dnf install crun; Alpine: apk add crun)";

/**
 * The runtime called `wanted` (a name or a path), or the first one that is found in `path`, a list as in PATH. Throws
 * `RUNTIME_MISSING`.
 */
export function findRuntime(wanted: string | undefined, path: string): Runtime {
  const leash = findLeash(path);
  for (const one of wanted === undefined ? known : [wanted]) {
    const found = one.includes("/") ? one : findInPath(one, path);
    const name = known.find((two) => basename(one).includes(two));
    if (name === undefined) {
      throw new KilnError("RUNTIME_MISSING", `${one} is not a runtime that Kiln knows`, {
        hint: `Choose one of: ${known.join(", ")}.`,
      });
    }
    if (found === undefined || !isExecutable(found)) continue;
    return { name, path: found, leash, mount: findMount(path) };
  }
  throw new KilnError(
    "RUNTIME_MISSING",
    `RUN steps need a container runtime, and ${wanted ?? "neither crun nor runc"} was ${wanted ? "not " : ""}found`,
    {
      hint: install,
    },
  );
}

/**
 * The command that runs the bundle and ends when its process has. The runtime gets a process namespace of its own, which
 * dies as a whole with it; it dies with its parent, and that with us: also after kill -9.
 */
export function runCommand(
  { name, path, leash }: Runtime,
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
  // runc looks for processes in /proc by the numbers of its own namespace.
  const proc = name === "runc" && leash.length > 0 ? ["--mount-proc"] : [];
  const [deadly, parted] = [leash.slice(0, 3), leash.slice(3)];
  return [
    ...deadly,
    ...options.enter,
    ...parted,
    ...proc,
    path,
    ...flags,
    "run",
    ...(options.descriptors ? [`--preserve-fds=${options.descriptors}`] : []),
    "--bundle",
    options.bundle,
    options.id,
  ];
}

/** util-linux's or busybox's: no machine is without. */
function findMount(path: string): string {
  const found = findInPath("mount", path);
  if (found !== undefined) return found;
  throw new KilnError("RUNTIME_MISSING", "RUN steps need the program mount, which was not found", {
    hint: "Install util-linux.",
  });
}

/** util-linux's programs; others of the same names lack the options, and a step without a leash is better than none. */
function findLeash(path: string): readonly string[] {
  const setpriv = findInPath("setpriv", path);
  const unshare = findInPath("unshare", path);
  const nothing = findInPath("true", path);
  if (setpriv === undefined || unshare === undefined || nothing === undefined) return [];
  const leash = [setpriv, "--pdeathsig", "KILL", unshare, "--pid", "--fork", "--kill-child"];
  const { status } = spawnSync(setpriv, [...leash.slice(1), nothing], { stdio: "ignore" });
  if (status === 0) return leash;
  debug.debug(
    "steps may outlive a killed kiln: setpriv and unshare of util-linux do not work here",
    { status },
  );
  return [];
}

/** The first executable file of that name in `path`, a list as in PATH, or in the usual places. */
export function findInPath(name: string, path: string): string | undefined {
  const places = [
    ...path.split(":").filter(Boolean),
    "/usr/sbin",
    "/sbin",
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/bin",
    "/bin",
  ];
  return places.map((directory) => join(directory, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
