// Finds a container runtime and makes the executor that runs steps with it.
import { existsSync } from "node:fs";
import { KilnError } from "../../base/index.ts";
import { hostPlatform } from "../../formats/oci/index.ts";
import { enterMountNamespace } from "../../storage/snapshot/index.ts";
import type { Standing } from "../isolation/index.ts";
import { openCgroupView, sweepGroups } from "./cgroup.ts";
import { emulatorMissing } from "./emulation/advice.ts";
import { findEmulators, listEmulators } from "./emulation/emulators.ts";
import { prefixEmulations } from "./emulation/host-handlers.ts";
import { nativeEmulation, readMachine } from "./emulation/native.ts";
import {
  type EmulationMode,
  emulationModes,
  Platforms,
  type PlatformsOptions,
} from "./emulation/platforms.ts";
import { openNestedHandlers, openOwnHandlers } from "./emulation/private-handlers.ts";
import type { Executor } from "./executor.ts";
import type { DnsSettings } from "./network/dns.ts";
import { type NetworkMode, networkModes } from "./network/networks.ts";
import { openUserNetworks } from "./network/user-networks.ts";
import { OciExecutor, type OciExecutorOptions } from "./oci-executor.ts";
import { StepPrograms } from "./programs/step-programs.ts";
import { PrefixFiles } from "./proot/prefix-files.ts";
import { ProotExecutor } from "./proot/proot-executor.ts";
import { findLeash } from "./run-command.ts";
import { findInPath, findRuntime } from "./runtime.ts";
import { openPlainWorkDirectory, openWorkDirectory } from "./work-directory.ts";

export interface ExecutorOptions {
  /** A directory on disk for what outlives a process (the compiled system call filter); made when missing. */
  readonly stateDir: string;
  /** `crun`, `runc`, or the path of one; the first that is found where absent. */
  readonly runtime?: string;
  /** A list as in PATH, where the runtime is looked for; the process's own where absent. */
  readonly path?: string;
  /** What steps with the default network get; `auto`: one of their own where the machine can do that. */
  readonly network?: NetworkMode;
  /** Name servers of steps, instead of the machine's. */
  readonly dns?: DnsSettings;
  /** How this process is kept apart from the machine; as root where absent. */
  readonly standing?: Standing;
  /** Emulators as in KILN_QEMU, which go after those that the variable names. */
  readonly emulators?: string;
  readonly now?: () => Date;
}

/**
 * Opens the executor of this process. Enters a private mount namespace (as `mountAt` does), so nothing it mounts
 * outlives the process. Throws `RUNTIME_MISSING` when neither crun nor runc is installed. Main thread only.
 */
export async function openExecutor(options: ExecutorOptions): Promise<Executor> {
  if (options.standing?.isolation === "proot") return openProot(options, options.standing);
  const path = options.path ?? process.env["PATH"] ?? "";
  const runtime = findRuntime(options.runtime, path);
  enterMountNamespace();
  const directory = openWorkDirectory(options.stateDir);
  const programs = new StepPrograms(directory.path, hostPlatform(process.arch).architecture);
  const cgroups = openCgroupView(runtime.name);
  if (runtime.name === "runc") sweepGroups((pid) => existsSync(`/proc/${pid}`));
  const network = options.network ?? networkFromEnvironment(process.env["KILN_NETWORK"]);
  return new OciExecutor({
    runtime,
    leash: findLeash(runtime, programs, path),
    programs,
    directory,
    cgroups,
    stateDir: options.stateDir,
    ...networksOf(options, network, path),
    ...(options.dns === undefined ? {} : { dns: options.dns }),
    network,
    platforms: new Platforms(platformsOptions(options, directory.path)),
    prefix: new PrefixFiles(directory.path, findInPath("proot", path)),
    owners: options.standing?.owners ?? "many",
    now: options.now ?? (() => new Date()),
  });
}

/** Throws `RUNTIME_MISSING`, with why nothing better works here, where proot does not either. */
function openProot(options: ExecutorOptions, standing: Standing): Executor {
  const path = options.path ?? process.env["PATH"] ?? "";
  const proot = findInPath("proot", path);
  if (proot === undefined) {
    const why = standing.obstacle?.reason ?? "proot was asked for";
    throw new KilnError("RUNTIME_MISSING", `RUN steps cannot run here: ${why}`, {
      hint: `${standing.obstacle?.hint ?? ""} Or install proot, which needs no rights: apt-get install proot`.trim(),
    });
  }
  const directory = openPlainWorkDirectory(options.stateDir);
  const machine = readMachine(directory.path);
  const native = nativeEmulation(machine);
  const chosen = chosenEmulators(options);
  const search = [chosen, path, "/usr/local/bin", "/usr/bin"].join(":");
  const known = new Set(native.platforms.map(({ architecture }) => architecture));
  const all = [native, ...prefixEmulations(findEmulators(search), known, "ptrace")];
  return new ProotExecutor({
    proot,
    setpriv: findInPath("setpriv", path),
    directory,
    ways: all,
    others: prefixEmulations(listEmulators(chosen), known, "ptrace"),
    missing: (platform) =>
      emulatorMissing(platform, {
        table: { mounted: false, enabled: false, handlers: [] },
        platforms: all.flatMap(({ platforms }) => platforms),
        exists: () => false,
      }),
    now: options.now ?? (() => new Date()),
  });
}

/** What decides how programs of other processors run. */
function platformsOptions(options: ExecutorOptions, directory: string): PlatformsOptions {
  const path = options.path ?? process.env["PATH"] ?? "";
  const chosen = chosenEmulators(options);
  const mode = emulationFromEnvironment(process.env["KILN_EMULATION"]);
  const inside = inUserNamespace(options);
  const search = [chosen, path, "/usr/local/bin", "/usr/bin"].join(":");
  const proot = findInPath("proot", path);
  return {
    machine: readMachine(directory),
    directory,
    mode,
    // Emulated steps of a nested namespace cannot make device nodes, so root prefers what the machine has registered.
    preferPrivate: inside || chosen !== "" || mode === "private",
    async openPrivate(native) {
      // The processor's own programs would be given to an emulator that is one of them.
      const emulators = findEmulators(search).filter(
        ({ architecture }) => !native.has(architecture),
      );
      if (inside) return openOwnHandlers(directory, emulators);
      return await openNestedHandlers(directory, emulators, (name) => findInPath(name, path));
    },
    named: () => listEmulators(chosen),
    prefix: (native, emulators = findEmulators(search)) =>
      proot === undefined ? [] : prefixEmulations(emulators, native, "prefix"),
    // What a namespace has registered is meant for its other steps: this one gets a namespace of its own.
    openOther: (emulator) =>
      openNestedHandlers(directory, [emulator], (name) => findInPath(name, path)),
  };
}

/** What somebody has named, as in PATH: the variable before the configuration file. */
function chosenEmulators({ emulators }: ExecutorOptions): string {
  return [process.env["KILN_QEMU"], emulators].filter(Boolean).join(":");
}

/** How steps' networks are made: root's own way where nothing else is said. */
function networksOf(
  options: ExecutorOptions,
  mode: NetworkMode,
  path: string,
): Pick<OciExecutorOptions, "openNetworks"> {
  const carrier = mode === "slirp4netns" || mode === "pasta" ? mode : undefined;
  const find = (name: string) => findInPath(name, path);
  if (inUserNamespace(options))
    return {
      openNetworks: (directory) =>
        openUserNetworks({ directory, find, ...(carrier === undefined ? {} : { carrier }) }),
    };
  if (carrier === undefined) return {};
  const reason = `${carrier} carries the packets of builds in a user namespace`;
  return { openNetworks: () => Promise.reject(new Error(reason)) };
}

function inUserNamespace({ standing }: ExecutorOptions): boolean {
  return standing?.isolation.startsWith("userns") === true;
}

function emulationFromEnvironment(text: string | undefined): EmulationMode {
  if (text === undefined || text === "") return "auto";
  const mode = emulationModes.find((one) => one === text);
  if (mode !== undefined) return mode;
  throw new KilnError("CONFIG_INVALID", `KILN_EMULATION is ${JSON.stringify(text)}`, {
    hint: `Choose one of: ${emulationModes.join(", ")}.`,
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
