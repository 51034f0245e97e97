// The executor on an OCI runtime: assembles a step's surroundings, has it run, and clears everything away.
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { StepCall } from "../../api/index.ts";
import { AsyncStack, type Call, log, throwIfAborted } from "../../base/index.ts";
import { formatPlatform, hostPlatform, type Platform } from "../../formats/oci/index.ts";
import { type Mount, noteNewFiles } from "../../storage/snapshot/index.ts";
import { trustAuthority, trustEnvironment } from "./authorities.ts";
import { boundingSet } from "./capabilities.ts";
import { type CgroupView, groupOf } from "./cgroup.ts";
import { ConstantFiles } from "./constant-files.ts";
import type { Platforms } from "./emulation/platforms.ts";
import type { ExecMount, Executor, ProcessSpec, ResourceUsage } from "./executor.ts";
import type { DnsSettings } from "./network/dns.ts";
import { defaultHostname, hostsFile, resolveGateway } from "./network/hosts.ts";
import { type Network, type NetworkMode, Networks } from "./network/networks.ts";
import { proxyEnvironment } from "./network/proxied-networks.ts";
import type { StepNetworks } from "./network/step-networks.ts";
import type { StepPrograms } from "./programs/step-programs.ts";
import type { PrefixFiles } from "./proot/prefix-files.ts";
import { openRootFileSystem, type ReadyMount } from "./root-file-system.ts";
import type { Leash } from "./run-command.ts";
import type { Runtime } from "./runtime.ts";
import { type BundleParts, writeBundle } from "./step-bundle.ts";
import { StepFilter } from "./step-filter.ts";
import { type RunParts, runBundle } from "./step-run.ts";
import { checkUlimits } from "./ulimits.ts";
import type { User } from "./user.ts";
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

/** With the variables by which programs find the proxy and trust it, whatever the image says. */
function behindProxy(process: ProcessSpec): ProcessSpec {
  const added = [...proxyEnvironment, ...trustEnvironment];
  const names = added.map((one) => one.slice(0, one.indexOf("=") + 1));
  const kept = process.env.filter((one) => !names.some((name) => one.startsWith(name)));
  return { ...process, env: [...kept, ...added] };
}

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
    asked: ProcessSpec,
    rootfs: readonly Mount[],
    mounts: readonly ExecMount[],
    call: StepCall,
  ): Promise<{ readonly usage: ResourceUsage; readonly user: User }> {
    const { platforms } = this.#options;
    const { proxy } = asked;
    const process = proxy ? behindProxy(asked) : asked;
    const emulation =
      (await platforms.attempt(process.platform, process.attempt ?? 0)) ??
      (await platforms.find(process.platform));
    debug.debug("programs run", { of: process.platform.architecture, by: emulation.kind });
    const number = ++this.#steps;
    const directory = join(this.#options.directory.path, `${number}`);
    mkdirSync(directory);
    await using stack = new AsyncStack();
    stack.defer(() => removeWork(directory));
    const warn = (message: string) => this.#warn(message, call);
    const network = stack.use(await this.#networks.lend(process, warn));
    const trusting = proxy && stack.use(await trustAuthority(proxy.authority, rootfs, directory));
    const names = await this.#nameFiles(process, network);
    const all = [...names, ...(trusting?.mounts ?? []), ...mounts];
    const files = stack.use(await openRootFileSystem(directory, trusting?.rootfs ?? rootfs, all));
    const group = this.name === "runc" ? groupOf(globalThis.process.pid, number) : undefined;
    const step = { process, files, directory, number, emulation, network, group, warn };
    const parts = this.#stepParts();
    const bundle = await writeBundle(step, parts);
    return { usage: await runBundle(step, bundle, parts, call), user: bundle.user };
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

  #warn(message: string, call: StepCall): void {
    const at = this.#options.now();
    call.emit({ type: "warning", step: call.step, warning: { message }, at });
  }

  #stepParts(): BundleParts & RunParts {
    const { directory, ...options } = this.#options;
    return {
      ...options,
      directory: directory.path,
      files: this.#files,
      filter: this.#stepFilter(),
      bounding: this.#bounding,
      machine: this.#machine,
    };
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
