// The executor on an OCI runtime: assembles a step's surroundings, runs it, and clears everything away.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { StepCall } from "../../api/index.ts";
import {
  AsyncStack,
  type Call,
  KilnError,
  log,
  resolveInRoot,
  throwIfAborted,
} from "../../base/index.ts";
import { formatPlatform, hostPlatform, type Platform } from "../../formats/oci/index.ts";
import { type Mount, noteNewFiles } from "../../storage/snapshot/index.ts";
import { boundingSet } from "./capabilities.ts";
import { type CgroupView, cgroupSetting, groupOf, removeGroup } from "./cgroup.ts";
import { ConstantFiles } from "./constant-files.ts";
import { type Emulation, runnableArchitectures } from "./emulation/emulation.ts";
import { initPath, initProgram } from "./emulation/init-program.ts";
import type { Platforms } from "./emulation/platforms.ts";
import { listenForEmulator } from "./emulator-words.ts";
import type { ExecMount, Executor, ProcessSpec, ResourceUsage } from "./executor.ts";
import { type Ending, processFailed } from "./failure.ts";
import { type LimitGroups, limitedCommand, machineOomKills, openLimits } from "./limits.ts";
import type { DnsSettings } from "./network/dns.ts";
import { defaultHostname, hostsFile, resolveGateway } from "./network/hosts.ts";
import { type Network, type NetworkMode, Networks } from "./network/networks.ts";
import type { StepNetworks } from "./network/step-networks.ts";
import { environmentValue, ociSpec, type SpecMount } from "./oci-spec.ts";
import { checkProgram, explainProgram, findProgram, type Program } from "./program.ts";
import type { StepPrograms } from "./programs/step-programs.ts";
import type { PrefixedStep, PrefixFiles } from "./proot/prefix-files.ts";
import { askInnermost, startTold } from "./proot/start-told.ts";
import {
  ensureWorkingDirectory,
  openRootFileSystem,
  type ReadyMount,
  type RootFileSystem,
} from "./root-file-system.ts";
import { rootFlags, rootHook } from "./root-hook.ts";
import { type Leash, runCommand } from "./run-command.ts";
import type { Runtime } from "./runtime.ts";
import { runtimeError } from "./runtime-log.ts";
import { startLeashed } from "./start-leashed.ts";
import { StepFilter } from "./step-filter.ts";
import { type SuperviseOptions, supervise } from "./supervise.ts";
import { checkUlimits, fitUlimits, parseLimits, type Rlimit } from "./ulimits.ts";
import { lookUpUser, type User } from "./user.ts";
import { removeWork, type WorkDirectory } from "./work-directory.ts";

export interface OciExecutorOptions {
  readonly runtime: Runtime;
  readonly leash: Leash;
  /** Below `directory`. */
  readonly programs: StepPrograms;
  /** Becomes the executor's. */
  readonly directory: WorkDirectory;
  /** On disk, kept between processes. */
  readonly stateDir: string;
  readonly cgroups: CgroupView;
  readonly platforms: Platforms;
  readonly prefix: PrefixFiles;
  readonly network: NetworkMode;
  /** Makes networks of steps otherwise than by links to the machine. */
  readonly openNetworks?: (directory: string) => Promise<StepNetworks>;
  readonly dns?: DnsSettings;
  /** `one`: this process has one user to give files to. */
  readonly owners: "many" | "one";
  readonly now: () => Date;
}

const debug = log("executor");

/** Runs steps side by side with crun or runc. Owns its work directory. */
export class OciExecutor implements Executor {
  readonly name: "crun" | "runc";
  readonly #options: OciExecutorOptions;
  readonly #bounding: ReadonlySet<string>;
  readonly #machine: string = hostPlatform(process.arch).architecture;
  readonly #files: ConstantFiles;
  readonly #networks: Networks;
  #filter: StepFilter | undefined;
  #steps = 0;

  constructor(options: OciExecutorOptions) {
    this.name = options.runtime.name;
    this.#options = options;
    this.#bounding = boundingSet(readFileSync("/proc/self/status", "utf8"));
    for (const name of ["state", "files"]) mkdirSync(join(options.directory.path, name));
    this.#files = new ConstantFiles(join(options.directory.path, "files"));
    const { network, directory, openNetworks, dns } = options;
    this.#networks = new Networks(network, directory.path, openNetworks, dns);
  }

  async platforms(call: Call): Promise<readonly Platform[]> {
    throwIfAborted(call);
    const ways = await this.#options.platforms.ways();
    // Several emulators may be for the same processor.
    const all = ways.flatMap(({ platforms }) => platforms);
    return [...new Map(all.map((one) => [formatPlatform(one), one])).values()];
  }

  async checkPlatform(platform: Platform, call: Call): Promise<void> {
    throwIfAborted(call);
    await this.#options.platforms.find(platform);
  }

  async emulatorOf(platform: Platform, call: Call, attempt = 0): Promise<string | undefined> {
    throwIfAborted(call);
    return await (await this.#options.platforms.attempt(platform, attempt))?.describe(call);
  }

  prepare({ network }: Pick<ProcessSpec, "network">): void {
    this.#networks.prepare(network);
  }

  async run(
    process: ProcessSpec,
    rootfs: readonly Mount[],
    mounts: readonly ExecMount[],
    call: StepCall,
  ): Promise<ResourceUsage> {
    throwIfAborted(call);
    checkUlimits(process.ulimits ?? []);
    const since = BigInt(Date.now()) * 1_000_000n;
    const { usage, user } = await this.#runOn(process, rootfs, mounts, call);
    if (this.#options.owners === "one") noteNewFiles(rootfs, user, since);
    return usage;
  }

  /** Everything is unmounted again when this resolves. */
  async #runOn(
    process: ProcessSpec,
    rootfs: readonly Mount[],
    mounts: readonly ExecMount[],
    call: StepCall,
  ): Promise<Ran> {
    const { platforms } = this.#options;
    const emulation =
      (await platforms.attempt(process.platform, process.attempt ?? 0)) ??
      (await platforms.find(process.platform));
    debug.debug("programs run", { of: process.platform.architecture, by: emulation.kind });
    const number = ++this.#steps;
    const directory = join(this.#options.directory.path, `${number}`);
    mkdirSync(directory);
    await using stack = new AsyncStack();
    stack.defer(() => removeWork(directory));
    const network = stack.use(
      await this.#networks.lend(process, (message) => this.#warn(message, call)),
    );
    const all = [...(await this.#nameFiles(process, network)), ...mounts];
    const files = stack.use(await openRootFileSystem(directory, rootfs, all));
    return await this.#runIn({ process, files, directory, number, emulation, network }, call);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#networks[Symbol.asyncDispose]();
    await this.#options.platforms[Symbol.asyncDispose]();
    await this.#files[Symbol.asyncDispose]();
    this.#filter?.[Symbol.dispose]();
    this.#options.directory[Symbol.dispose]();
  }

  /** The step's hosts and resolv.conf. */
  async #nameFiles(process: ProcessSpec, network: Network): Promise<readonly ReadyMount[]> {
    const extra = resolveGateway(process.extraHosts ?? [], network.gateway);
    const hosts = hostsFile(process.hostname || defaultHostname, extra);
    const { resolver } = network;
    return [
      { target: "/etc/resolv.conf", readonly: true, ready: await this.#files.file(resolver) },
      { target: "/etc/hosts", readonly: true, ready: await this.#files.file(hosts) },
    ];
  }

  async #runIn(step: Step, call: StepCall): Promise<Ran> {
    const { process, files, directory, number, emulation, network } = step;
    const cwd = ensureWorkingDirectory(files.path, process.cwd);
    const program = findProgram(files.path, {
      name: process.args[0] ?? "",
      search: environmentValue(process.env, "PATH"),
      cwd,
    });
    await this.#checkProgram(program, process.platform);
    const init = this.#firstProgram(step, program, cwd);
    const apt = await this.#aptConfig(files.path);
    const terminal = process.io
      ? process.io.terminal !== undefined
      : process.stdio === "inherit" && isTerminal();
    // proot changes calls on their way, so that nobody else could answer them.
    const prefixed = emulation.kind === "prefix";
    const filter = this.#stepFilter();
    const user = lookUpUser(files.path, process.user ?? "");
    const { enter = [] } = emulation;
    // A namespace's root may not join the network that was made outside: the runtime is put into it before.
    const [nsenter] = enter;
    const enterNetwork =
      nsenter !== undefined && network.setting.type === "join"
        ? [nsenter, `--net=${network.setting.path}`, "--"]
        : [];
    const { runtime, programs } = this.#options;
    const hook = rootHook(files.path, rootFlags(process, files.readonly), {
      programs,
      mount: runtime.mount,
    });
    const spec = ociSpec(
      { ...process, cwd, args: init.args },
      {
        rootfs: files.path,
        ...(hook === undefined ? {} : { rootHook: hook }),
        user,
        rlimits: this.#rlimits(process, call),
        mounts: [...files.mounts, ...init.mounts, ...(apt === undefined ? [] : [apt])],
        bounding: this.#bounding,
        machine: this.#machine,
        cgroup: cgroupSetting(this.#options.cgroups, this.#group(number)),
        network: enterNetwork.length === 0 ? network.setting : { type: "host" },
        seccomp: prefixed ? filter.pretending : filter.setting,
        owners: this.#options.owners,
        ...(apt === undefined ? {} : { aptConfig: apt.destination }),
        terminal,
        ...(init.environment === undefined ? {} : { tracer: init.environment }),
      },
    );
    writeFileSync(join(directory, "config.json"), JSON.stringify(spec), { mode: 0o600 });
    const logFile = join(directory, "runtime.log");
    const id = `kiln-${number}`;
    const stateDir = join(this.#options.directory.path, "state");
    const command = runCommand(runtime, this.#options.leash, {
      stateDir,
      bundle: directory,
      logFile,
      id,
      descriptors: prefixed ? 1 : 0,
      enter: [...enterNetwork, ...enter],
    });
    await using stack = new AsyncStack();
    const listener = filter.lend();
    if (listener) stack.use(listener);
    const limits = this.#limits(process, number, call);
    if (limits) stack.use(limits);
    const listening = emulation.kind === "native" ? undefined : listenForEmulator(call);
    const killedBefore = machineOomKills();
    const began = performance.now();
    let exitCode: number;
    try {
      const owner = spec.process.user;
      const { now } = this.#options;
      exitCode = await supervise(
        limitedCommand(command, limits?.procs ?? []),
        {
          ...{ stdio: process.stdio ?? "log", io: process.io, directory, owner, now },
          ...this.#start(prefixed),
        },
        listening?.call ?? call,
      );
    } finally {
      // Only there when the runtime was killed.
      removeWork(join(stateDir, id));
      if (spec.linux.cgroupsPath !== undefined) removeGroup(spec.linux.cgroupsPath);
    }
    const usage = { exitCode, wallMs: performance.now() - began };
    if (isValidExit(process, exitCode)) return { usage, user };
    const outOfMemory = limits?.oomKills()
      ? "limit"
      : machineOomKills() > killedBefore
        ? "machine"
        : undefined;
    const emulatorWords = listening?.words();
    throw await failure(step, { exitCode, program, logFile, outOfMemory, emulatorWords }, call);
  }

  /** apt checks that it has become its own user, which it cannot where there is only one. */
  async #aptConfig(root: string): Promise<SpecMount | undefined> {
    if (
      this.#options.owners === "many" ||
      !existsSync(resolveInRoot(root, "/etc/apt", { followLast: true }))
    )
      return undefined;
    const { path: source } = await this.#files.file('APT::Sandbox::User "root";\n');
    const options = ["rbind", "ro", "nosuid", "nodev"];
    return { destination: "/dev/.kiln-apt.conf", type: "none", source, options };
  }

  #limits(spec: ProcessSpec, number: number, call: StepCall): LimitGroups | undefined {
    const { resources = {}, cgroupParent: parent = "" } = spec;
    const warn = (message: string) => this.#warn(message, call);
    if (this.name === "runc") {
      if (parent !== "" || Object.keys(resources).length > 0)
        warn("limits and a parent group for steps need crun, and are not applied");
      return undefined;
    }
    const name = groupOf(process.pid, number).slice(1);
    const directory = join(this.#options.directory.path, "cgroups");
    return openLimits({ resources, parent, name, directory, warn });
  }

  /** Handlers may have been registered since the last look, so the machine is asked again before a step is refused. */
  async #checkProgram(program: Program, platform: Platform): Promise<void> {
    if (program.type !== "elf" || program.architecture === this.#machine) return;
    checkProgram(program, platform, runnableArchitectures(await this.#options.platforms.ways()));
  }

  #start(prefixed: boolean): Pick<SuperviseOptions, "start"> {
    if (prefixed) return { start: startTold({ signal: "SIGKILL", ask: askInnermost }) };
    return this.#options.leash.whole ? { start: startLeashed } : {};
  }

  /** What the runtime is to start, and what that needs. */
  #firstProgram(
    { process, directory, emulation }: Step,
    program: Program,
    cwd: string,
  ): PrefixedStep {
    const { args } = process;
    const { kind, prefix } = emulation;
    const data = kind === "native" ? undefined : initProgram(this.#machine);
    if (data === undefined || program.type !== "elf") return { args, mounts: [] };
    if (kind === "prefix" && prefix !== undefined)
      return this.#options.prefix.step(this.#machine, prefix, { program: program.path, args, cwd });
    const source = join(directory, "init");
    writeFileSync(source, data, { mode: 0o555 });
    const options = ["rbind", "ro", "nosuid", "nodev"];
    return {
      args: [initPath, program.path, ...args],
      mounts: [{ destination: initPath, type: "none", source, options }],
    };
  }

  #rlimits(process: ProcessSpec, call: StepCall): readonly Rlimit[] {
    if (!process.ulimits?.length) return [];
    const ceilings = parseLimits(readFileSync("/proc/self/limits", "utf8"));
    const mayRaise = this.#bounding.has("CAP_SYS_RESOURCE");
    const { rlimits, lowered } = fitUlimits(process.ulimits, ceilings, mayRaise);
    for (const message of lowered) this.#warn(message, call);
    return rlimits;
  }

  #warn(message: string, call: StepCall): void {
    const at = this.#options.now();
    call.emit({ type: "warning", step: call.step, warning: { message }, at });
  }

  #group(number: number): string | undefined {
    return this.name === "runc" ? groupOf(process.pid, number) : undefined;
  }

  #stepFilter(): StepFilter {
    const { directory, stateDir, owners } = this.#options;
    this.#filter ??= new StepFilter({
      ...{ runtime: this.name, machine: this.#machine, stateDir, owners },
      directory: directory.path,
    });
    return this.#filter;
  }
}

/** What a step took, and who it ran as, or as it was told. */
interface Ran {
  readonly usage: ResourceUsage;
  readonly user: User;
}

interface Step {
  readonly process: ProcessSpec;
  readonly files: RootFileSystem;
  readonly directory: string;
  readonly number: number;
  readonly emulation: Emulation;
  readonly network: Network;
}

function isValidExit({ validExitCodes }: ProcessSpec, exitCode: number): boolean {
  return validExitCodes?.length ? validExitCodes.includes(exitCode) : exitCode === 0;
}

function isTerminal(): boolean {
  return process.stdin.isTTY === true && process.stdout.isTTY === true;
}

async function failure(
  { process, emulation }: Step,
  end: {
    readonly exitCode: number;
    readonly program: Program;
    readonly logFile: string;
    readonly outOfMemory: Ending["outOfMemory"];
    readonly emulatorWords: Ending["emulatorWords"];
  },
  call: StepCall,
): Promise<KilnError> {
  const complaint = runtimeError(end.logFile);
  if (complaint === undefined) {
    const emulator = await emulation.describe(call);
    return processFailed({ args: process.args, emulator, ...end });
  }
  const why = explainProgram(end.program);
  if (why !== undefined) return processFailed({ args: process.args, ...why });
  return new KilnError(
    "RUNTIME_FAILED",
    `the container runtime could not run the step: ${complaint}`,
    {
      details: { exitCode: end.exitCode },
    },
  );
}
