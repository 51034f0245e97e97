// Finds a container runtime and makes the executor that runs steps with it.
import { existsSync } from "node:fs";
import { KilnError } from "../../base/index.ts";
import { enterMountNamespace } from "../../storage/snapshot/index.ts";
import { openCgroupView, sweepGroups } from "./cgroup.ts";
import { readMachine } from "./emulation/native.ts";
import { Platforms } from "./emulation/platforms.ts";
import type { Executor } from "./executor.ts";
import { type NetworkMode, networkModes } from "./network/networks.ts";
import { OciExecutor } from "./oci-executor.ts";
import { findRuntime } from "./runtime.ts";
import { openWorkDirectory } from "./work-directory.ts";

export interface ExecutorOptions {
  /** A directory on disk for what outlives a process (the compiled system call filter); made when missing. */
  readonly stateDir: string;
  /** `crun`, `runc`, or the path of one; the first that is found where absent. */
  readonly runtime?: string;
  /** A list as in PATH, where the runtime is looked for; the process's own where absent. */
  readonly path?: string;
  /** What steps with the default network get; `auto`: one of their own where the machine can do that. */
  readonly network?: NetworkMode;
  readonly now?: () => Date;
}

/**
 * Opens the executor of this process. Enters a private mount namespace (as `mountAt` does), so nothing it mounts
 * outlives the process. Throws `RUNTIME_MISSING` when neither crun nor runc is installed. Main thread only.
 */
export async function openExecutor(options: ExecutorOptions): Promise<Executor> {
  const runtime = findRuntime(options.runtime, options.path ?? process.env["PATH"] ?? "");
  enterMountNamespace();
  const directory = openWorkDirectory(options.stateDir);
  const cgroups = openCgroupView(runtime.name);
  if (runtime.name === "runc") sweepGroups((pid) => existsSync(`/proc/${pid}`));
  return new OciExecutor({
    runtime,
    directory,
    cgroups,
    stateDir: options.stateDir,
    network: options.network ?? networkFromEnvironment(process.env["KILN_NETWORK"]),
    platforms: new Platforms(readMachine(directory.path), directory.path),
    now: options.now ?? (() => new Date()),
  });
}

function networkFromEnvironment(text: string | undefined): NetworkMode {
  if (text === undefined || text === "") return "auto";
  const mode = networkModes.find((one) => one === text);
  if (mode !== undefined) return mode;
  throw new KilnError("CONFIG_INVALID", `KILN_NETWORK is ${JSON.stringify(text)}`, {
    hint: `Choose one of: ${networkModes.join(", ")}.`,
  });
}
