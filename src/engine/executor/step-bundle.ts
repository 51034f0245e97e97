// What a runtime is told of one step: its configuration, with the files that belong to it.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { quoteGo, resolveInRoot, wrap } from "../../base/index.ts";
import type { Platform } from "../../formats/oci/index.ts";
import { type CgroupView, cgroupSetting } from "./cgroup.ts";
import type { ConstantFiles } from "./constant-files.ts";
import { type Emulation, runnableArchitectures } from "./emulation/emulation.ts";
import type { Platforms } from "./emulation/platforms.ts";
import type { ProcessSpec } from "./executor.ts";
import { insecureDevices } from "./insecure-devices.ts";
import type { SpecMount } from "./kernel-files.ts";
import type { Network } from "./network/networks.ts";
import { environmentValue, type OciSpec, ociSpec } from "./oci-spec.ts";
import { checkProgram, findProgram, type Program } from "./program.ts";
import { initPath, initProgram } from "./programs/init-program.ts";
import type { StepPrograms } from "./programs/step-programs.ts";
import type { PrefixedStep, PrefixFiles } from "./proot/prefix-files.ts";
import { ensureWorkingDirectory, type RootFileSystem } from "./root-file-system.ts";
import { rootFlags, rootHook } from "./root-hook.ts";
import type { Runtime } from "./runtime.ts";
import type { StepFilter } from "./step-filter.ts";
import { fitUlimits, parseLimits, type Rlimit } from "./ulimits.ts";
import { lookUpUser, type User } from "./user.ts";

/** One step in its surroundings. */
export interface Step {
  readonly process: ProcessSpec;
  readonly files: RootFileSystem;
  /** Its own, in memory, gone with it. */
  readonly directory: string;
  /** Of this executor's steps. */
  readonly number: number;
  readonly emulation: Emulation;
  readonly network: Network;
  /** Group that the runtime makes for it, where the runtime cannot do without. */
  readonly group: string | undefined;
  /** Tells the user. */
  readonly warn: (message: string) => void;
}

/** What configurations are written from, the same for all steps of an executor. */
export interface BundleParts {
  readonly runtime: Runtime;
  readonly programs: StepPrograms;
  readonly cgroups: CgroupView;
  readonly platforms: Platforms;
  readonly prefix: PrefixFiles;
  readonly files: ConstantFiles;
  readonly filter: StepFilter;
  /** Capabilities that this process can hand on. */
  readonly bounding: ReadonlySet<string>;
  /** GOARCH name of the machine. */
  readonly machine: string;
  readonly owners: "many" | "one";
}

/** A bundle as the OCI runtime specification has it. */
export interface Bundle {
  readonly path: string;
  readonly spec: OciSpec;
  /** What the step's first word stands for. */
  readonly program: Program;
  /** Who it runs as, or is told to. */
  readonly user: User;
  /** Words before the runtime that get it into namespaces. */
  readonly enter: readonly string[];
}

/** Throws `USER_NOT_FOUND`, with the step as the reference has it. */
function userOf({ args, user = "" }: ProcessSpec, root: string): User {
  try {
    return lookUpUser(root, user);
  } catch (error) {
    throw wrap(error, `process ${quoteGo(args.join(" "))} did not complete successfully`);
  }
}

/** Writes the step's bundle into its directory. Throws `EMULATOR_MISSING` where its program cannot run here. */
export async function writeBundle(step: Step, parts: BundleParts): Promise<Bundle> {
  const { process, files, directory, emulation } = step;
  const cwd = ensureWorkingDirectory(files.path, process.cwd);
  const program = findProgram(files.path, {
    name: process.args[0] ?? "",
    search: environmentValue(process.env, "PATH"),
    cwd,
  });
  await checkRunnable(program, process.platform, parts);
  const init = firstProgram(step, program, cwd, parts);
  const apt = await aptConfig(files.path, parts);
  const user = userOf(process, files.path);
  const { enter, network } = entering(step);
  const hook = rootHook(files.path, rootFlags(process, process.readonlyRoot || files.readonly), {
    programs: parts.programs,
    mount: parts.runtime.mount,
  });
  // proot changes calls on their way, so that nobody else could answer them.
  const seccomp = emulation.kind === "prefix" ? parts.filter.pretending : parts.filter.setting;
  const spec = ociSpec(
    { ...process, cwd, args: init.args },
    {
      rootfs: files.path,
      ...(hook === undefined ? {} : { rootHook: hook }),
      user,
      rlimits: rlimitsOf(step, parts.bounding),
      mounts: [...files.mounts, ...init.mounts, ...(apt === undefined ? [] : [apt])],
      bounding: parts.bounding,
      machine: parts.machine,
      cgroup: cgroupSetting(parts.cgroups, step.group),
      network,
      seccomp,
      owners: parts.owners,
      ...(apt === undefined ? {} : { aptConfig: apt.destination }),
      terminal: hasTerminal(process),
      // A nested namespace cannot make device nodes.
      insecureDevices:
        process.security === "insecure" && emulation.enter === undefined ? insecureDevices() : [],
      ...(init.environment === undefined ? {} : { tracer: init.environment }),
    },
  );
  writeFileSync(join(directory, "config.json"), JSON.stringify(spec), { mode: 0o600 });
  return { path: directory, spec, program, user, enter };
}

/** A namespace's root may not join the network that was made outside: the runtime is put into it before. */
function entering({ emulation, network }: Step): {
  readonly enter: readonly string[];
  readonly network: Network["setting"];
} {
  const { enter = [] } = emulation;
  const [nsenter] = enter;
  const { setting } = network;
  if (nsenter === undefined || setting.type !== "join") return { enter, network: setting };
  return { enter: [nsenter, `--net=${setting.path}`, "--", ...enter], network: { type: "host" } };
}

function hasTerminal({ io, stdio }: ProcessSpec): boolean {
  if (io) return io.terminal !== undefined;
  const { stdin, stdout } = process;
  return stdio === "inherit" && stdin.isTTY === true && stdout.isTTY === true;
}

/** apt checks that it has become its own user, which it cannot where there is only one. */
async function aptConfig(
  root: string,
  { owners, files }: Pick<BundleParts, "owners" | "files">,
): Promise<SpecMount | undefined> {
  if (owners === "many" || !existsSync(resolveInRoot(root, "/etc/apt", { followLast: true })))
    return undefined;
  const { path: source } = await files.file('APT::Sandbox::User "root";\n');
  const options = ["rbind", "ro", "nosuid", "nodev"];
  return { destination: "/dev/.kiln-apt.conf", type: "none", source, options };
}

/** Handlers may have been registered since the last look, so the machine is asked again before a step is refused. */
async function checkRunnable(
  program: Program,
  platform: Platform,
  { machine, platforms }: Pick<BundleParts, "machine" | "platforms">,
): Promise<void> {
  if (program.type !== "elf" || program.architecture === machine) return;
  checkProgram(program, platform, runnableArchitectures(await platforms.ways()));
}

/** What the runtime is to start, and what that needs. */
function firstProgram(
  { process, directory, emulation }: Step,
  program: Program,
  cwd: string,
  { machine, prefix: prefixes }: Pick<BundleParts, "machine" | "prefix">,
): PrefixedStep {
  const { args } = process;
  const { kind, prefix } = emulation;
  const data = kind === "native" ? undefined : initProgram(machine);
  if (data === undefined || program.type !== "elf") return { args, mounts: [] };
  if (kind === "prefix" && prefix !== undefined)
    return prefixes.step(machine, prefix, { program: program.path, args, cwd });
  const source = join(directory, "init");
  writeFileSync(source, data, { mode: 0o555 });
  const options = ["rbind", "ro", "nosuid", "nodev"];
  return {
    args: [initPath, program.path, ...args],
    mounts: [{ destination: initPath, type: "none", source, options }],
  };
}

function rlimitsOf({ process, warn }: Step, bounding: ReadonlySet<string>): readonly Rlimit[] {
  if (!process.ulimits?.length) return [];
  const ceilings = parseLimits(readFileSync("/proc/self/limits", "utf8"));
  const mayRaise = bounding.has("CAP_SYS_RESOURCE");
  const { rlimits, lowered } = fitUlimits(process.ulimits, ceilings, mayRaise);
  for (const message of lowered) warn(message);
  return rlimits;
}
