// The executor for machines that allow no namespace: proot rewrites the paths that a step's programs use.
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { StepCall } from "../../../api/index.ts";
import { AsyncStack, type Call, KilnError, log, throwIfAborted } from "../../../base/index.ts";
import { hostPlatform, normalizePlatform, type Platform } from "../../../formats/oci/index.ts";
import { type Mount, noteNewFiles } from "../../../storage/snapshot/index.ts";
import { type Emulation, findEmulation, runnableArchitectures } from "../emulation/emulation.ts";
import { listenForEmulator } from "../emulator-words.ts";
import type { ExecMount, Executor, ProcessSpec, ResourceUsage } from "../executor.ts";
import { processFailed } from "../failure.ts";
import { defaultHostname, hostsFile, resolveGateway } from "../network/hosts.ts";
import { readHostFile } from "../network/networks.ts";
import { defaultPath, environmentValue } from "../oci-spec.ts";
import { checkProgram, explainProgram, findProgram } from "../program.ts";
import { statusProgram } from "../programs/status-program.ts";
import { ensureWorkingDirectory } from "../root-file-system.ts";
import { supervise } from "../supervise.ts";
import { lookUpUser, type User } from "../user.ts";
import { removeWork, type WorkDirectory } from "../work-directory.ts";
import { killSignal, libraryDecoy, prootCommand } from "./proot-command.ts";
import { directoryOf, prepareBinds } from "./proot-files.ts";
import { startTold } from "./start-told.ts";

export interface ProotExecutorOptions {
  /** Absolute. */
  readonly proot: string;
  readonly setpriv: string | undefined;
  /** Becomes the executor's. */
  readonly directory: WorkDirectory;
  /** The native way first. */
  readonly ways: readonly Emulation[];
  /** All emulators that somebody has named, best first. */
  readonly others: readonly Emulation[];
  /** The error for a platform that nothing here runs. */
  readonly missing: (platform: Platform) => KilnError;
  readonly now: () => Date;
}

const debug = log("executor");

/** Runs steps side by side with proot. Owns its work directory. */
export class ProotExecutor implements Executor {
  readonly name = "proot";
  readonly #options: ProotExecutorOptions;
  readonly #init: string;
  #steps = 0;
  #warned = false;

  /** Throws `RUNTIME_MISSING` on processors that the first process of steps is not made for. */
  constructor(options: ProotExecutorOptions) {
    this.#options = options;
    const machine = hostPlatform(process.arch).architecture;
    const init = statusProgram(machine, hiddenVariables);
    if (init === undefined)
      throw new KilnError("RUNTIME_MISSING", `steps cannot run without namespaces on ${machine}`);
    this.#init = join(options.directory.path, "init");
    writeFileSync(this.#init, init, { mode: 0o755 });
    chmodSync(this.#init, 0o755);
  }

  async platforms(call: Call): Promise<readonly Platform[]> {
    throwIfAborted(call);
    return this.#options.ways.flatMap(({ platforms }) => platforms);
  }

  async checkPlatform(platform: Platform, call: Call): Promise<void> {
    throwIfAborted(call);
    this.#find(platform);
  }

  async emulatorOf(platform: Platform, call: Call, attempt = 0): Promise<string | undefined> {
    throwIfAborted(call);
    return await this.#attempt(platform, attempt)?.describe(call);
  }

  async run(
    process: ProcessSpec,
    rootfs: readonly Mount[],
    mounts: readonly ExecMount[],
    call: StepCall,
  ): Promise<ResourceUsage> {
    throwIfAborted(call);
    this.#warnOnce(process, call);
    const way =
      this.#attempt(process.platform, process.attempt ?? 0) ?? this.#find(process.platform);
    debug.debug("programs run", { of: process.platform.architecture, by: way.kind });
    const root = directoryOf(rootfs);
    if (root.readonly || process.readonlyRoot)
      throw new KilnError("UNSUPPORTED", "a read-only root needs a namespace", {
        hint: "Run Kiln where user namespaces are allowed.",
      });
    const directory = join(this.#options.directory.path, `${++this.#steps}`);
    mkdirSync(directory);
    await using stack = new AsyncStack();
    stack.defer(() => removeWork(directory));
    const named = [...nameFiles(process), ...sharedMemory(mounts), ...mounts];
    const binds = await prepareBinds(named, directory, stack);
    const cwd = ensureWorkingDirectory(root.path, process.cwd);
    const query = {
      name: process.args[0] ?? "",
      search: environmentValue(process.env, "PATH"),
      cwd,
    };
    const program = findProgram(root.path, query);
    checkProgram(program, process.platform, runnableArchitectures(this.#options.ways));
    const why = explainProgram(program);
    if (why !== undefined || program.type === "missing")
      throw processFailed({ args: process.args, exitCode: 127, ...why });
    const user = lookUpUser(root.path, process.user ?? "");
    const { proot, setpriv, now } = this.#options;
    const emulator = way.prefix;
    const command = prootCommand({
      ...{ proot, setpriv, root: root.path, cwd, user, binds, init: this.#init, emulator },
      program: program.path,
      args: process.args,
    });
    const listening = listenForEmulator(call);
    const since = BigInt(Date.now()) * 1_000_000n;
    const began = performance.now();
    const exitCode = await supervise(
      command,
      {
        stdio: process.stdio ?? "log",
        io: process.io,
        directory,
        owner: user,
        now,
        environment: environment(process.env, user),
        start: startTold({ signal: killSignal }),
      },
      listening.call,
    );
    const { validExitCodes } = process;
    const valid = validExitCodes?.length ? validExitCodes.includes(exitCode) : exitCode === 0;
    const wallMs = performance.now() - began;
    if (valid) noteNewFiles(rootfs, user, since);
    if (valid) return { exitCode, wallMs };
    throw processFailed({
      args: process.args,
      exitCode,
      emulator: await way.describe(call),
      emulatorWords: listening.words(),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#options.directory[Symbol.dispose]();
  }

  /** The ways of a platform one after the other; those of the processor itself have no others. */
  #attempt(platform: Platform, attempt: number): Emulation | undefined {
    const first = this.#find(platform);
    if (attempt === 0 || first.kind === "native") return attempt === 0 ? first : undefined;
    const named = this.#options.others.filter(
      (way) => findEmulation([way], normalizePlatform(platform)) !== undefined,
    );
    return named[attempt];
  }

  #find(platform: Platform): Emulation {
    const wanted = normalizePlatform(platform);
    const way = findEmulation(this.#options.ways, wanted);
    if (way === undefined) throw this.#options.missing(wanted);
    return way;
  }

  #warnOnce({ network, proxy }: ProcessSpec, call: StepCall): void {
    if (network === "none" || proxy)
      throw new KilnError(
        "NETWORK_FAILED",
        "without a namespace no step can be kept from the network",
        {
          hint: "Run Kiln where user namespaces are allowed, or leave --network away.",
        },
      );
    if (this.#warned) return;
    this.#warned = true;
    const message =
      "this machine allows no namespaces: steps run by proot, slower, and are not isolated from your processes and network";
    call.emit({ type: "warning", step: call.step, warning: { message }, at: this.#options.now() });
  }
}

function nameFiles(process: ProcessSpec): readonly ExecMount[] {
  const extra = resolveGateway(process.extraHosts ?? [], "127.0.0.1");
  const texts = {
    "/etc/resolv.conf": readHostFile("/etc/resolv.conf"),
    "/etc/hosts": hostsFile(process.hostname || defaultHostname, extra),
  };
  return Object.entries(texts).map(([target, text]) => ({
    target,
    readonly: true,
    what: { type: "file", data: new TextEncoder().encode(text), mode: 0o644, uid: 0, gid: 0 },
  }));
}

function sharedMemory(mounts: readonly ExecMount[]): readonly ExecMount[] {
  if (mounts.some(({ target }) => target === "/dev/shm")) return [];
  return [{ target: "/dev/shm", readonly: false, what: { type: "tmpfs" } }];
}

/** How many the first process keeps from the step. */
const hiddenVariables = 1;

function environment(given: readonly string[], user: User): Readonly<Record<string, string>> {
  const pairs = given.map((one): readonly [string, string] => {
    const at = one.indexOf("=");
    return at === -1 ? [one, ""] : [one.slice(0, at), one.slice(at + 1)];
  });
  const named = { PATH: defaultPath, HOME: user.home, ...Object.fromEntries(pairs) };
  // A step that has one of its own gets it as proot makes it: a process has one of each name here.
  const [decoy = "", value = ""] = libraryDecoy.split("=");
  return { [decoy in named ? "KILN_FIRST" : decoy]: value, ...named };
}
