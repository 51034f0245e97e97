// LLB's ExecOp: a process in a root file system made of mounts, whose writable mounts become results.
import { posix } from "node:path";
import type { FailedWork, Session, StepCall, StepResources } from "../../api/index.ts";
import {
  AsyncStack,
  type Call,
  digestOf,
  isAbortError,
  isKilnError,
  KilnError,
} from "../../base/index.ts";
import { type ExecOp, execIdentity, type ExecMount as LlbMount } from "../../formats/llb/index.ts";
import type { Platform } from "../../formats/oci/index.ts";
import type { ActiveSnapshot, Mount, Snapshotter } from "../../storage/snapshot/index.ts";
import type {
  CdiDevices,
  ExecMount,
  Executor,
  LentDevices,
  ProcessSlots,
  ProcessSpec,
} from "../executor/index.ts";
import type { CacheMap, Op } from "../solver/index.ts";
import { ContentLister, contentDigest } from "../source/index.ts";
import type { CacheMounts } from "./cache-mounts.ts";
import { presentPath } from "./file/view.ts";
import type { OpResult } from "./result.ts";
import { fileFromSecret, secretEnvironment, socketFromAgent } from "./secrets.ts";
import { withView } from "./views.ts";

export const defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** What exec ops are made of; lent by the engine. */
export interface ExecParts {
  /** Opened when the first process is to run. */
  readonly executor: () => Promise<Executor>;
  readonly snapshotter: Snapshotter;
  readonly cacheMounts: CacheMounts;
  readonly session: Session;
  /** Limits of the build's processes. */
  readonly resources?: StepResources;
  /** Devices of the machine that steps may ask for; none where absent. */
  readonly devices?: Pick<CdiDevices, "lend">;
  /** Slots for processes. */
  readonly slots: ProcessSlots;
  /** Told of a process that failed; what it is given becomes its own. */
  readonly onFailure?: (failed: FailedExec) => void;
}

/** What a failed op left. Of a process: by mount, the state at failure and what it began with. */
export interface FailedExec extends Pick<FailedWork, "subject"> {
  readonly states: readonly OpResult[];
  readonly inputs: readonly OpResult[];
}

export function createExecOp(
  op: ExecOp,
  encoded: Uint8Array,
  platform: Platform,
  inputCount: number,
  parts: ExecParts,
): Op<OpResult> {
  return {
    async acquire(call) {
      const permit = await parts.slots.acquire(call);
      return { [Symbol.asyncDispose]: async () => permit[Symbol.dispose]() };
    },
    cacheMap: async () => execCacheMap(op, encoded, platform, inputCount),
    exec: async (inputs, call) => {
      await using run = new ExecRun(op, platform, inputs, parts);
      return await run.perform(call);
    },
  };
}

/** As BuildKit: proxies do not count, nor secrets' contents. Inputs that are only read count by content, others by history. */
function execCacheMap(
  op: ExecOp,
  encoded: Uint8Array,
  platform: Platform,
  inputCount: number,
): CacheMap<OpResult> {
  return {
    digest: digestOf(execIdentity(encoded, platform)),
    inputs: Array.from({ length: inputCount }, (_, input) => {
      const users = op.mounts.filter((mount) => mount.input === input && mount.type !== "tmpfs");
      if (users.length === 0) return {};
      const paths = users.map((mount) => posix.join("/", mount.selector));
      const selector = digestOf(paths.join("\0"));
      // The last mount of an input decides.
      if (!countsByContent(users.at(-1) as LlbMount)) return { selector };
      const lister = new ContentLister();
      const selected = outermost(paths);
      return {
        selector,
        listing: () => lister.listing(),
        contentDigest: (result: OpResult, call: Call) =>
          withView(result, call, (view) => {
            const selectors = selected.map((path) => ({ path: presentPath(view, path, true) }));
            lister.restart();
            return contentDigest(view, { selectors, lister }, call);
          }),
      };
    }),
  };
}

/** BuildKit: what cannot change by the step, and lets no file through that was not selected; never the root. */
function countsByContent(mount: LlbMount): boolean {
  if (mount.contentCache === "off") return false;
  const safe =
    mount.output === undefined || mount.readonly || posix.join("/", mount.selector) === "/";
  return safe && (mount.contentCache === "on" || mount.target !== "/");
}

/** Without those that lie below others, in order; the root stands for everything. */
function outermost(paths: readonly string[]): readonly string[] {
  if (paths.length <= 1) return paths;
  if (paths.includes("/")) return ["/"];
  const all = [...new Set(paths)];
  return all.filter((path) => !all.some((other) => path.startsWith(`${other}/`))).sort();
}

/** One execution; owns the writable layers until they are committed. */
class ExecRun implements AsyncDisposable {
  readonly #op: ExecOp;
  readonly #platform: Platform;
  readonly #inputs: readonly OpResult[];
  readonly #parts: ExecParts;
  readonly #owned = new AsyncStack();
  #lent: LentDevices | undefined;
  /** By output index. */
  readonly #writable = new Map<number, ActiveSnapshot>();
  /** Cache mounts, which are held through all attempts. */
  #held: readonly ExecMount[] | undefined;
  /** Read-only outputs are their inputs. */
  readonly #unchanged = new Map<number, OpResult>();

  constructor(op: ExecOp, platform: Platform, inputs: readonly OpResult[], parts: ExecParts) {
    this.#op = op;
    this.#platform = platform;
    this.#inputs = inputs;
    this.#parts = parts;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#owned[Symbol.asyncDispose]();
  }

  async perform(call: StepCall): Promise<readonly OpResult[]> {
    const { devices } = this.#op;
    this.#lent = devices.length === 0 ? undefined : this.#parts.devices?.lend(devices);
    const root = this.#op.mounts.find((mount) => mount.target === "/");
    if (!root) throw new KilnError("DEFINITION_INVALID", "exec op: no mount at /");
    if (root.selector !== "" && root.selector !== "/") {
      throw new KilnError("UNSUPPORTED", "exec op: the root mount cannot have a selector");
    }
    for (let attempt = 0; ; attempt++) {
      try {
        await this.#attempt(root, attempt, call);
        return await this.#outputs(call);
      } catch (error) {
        if (isKilnError(error, "EMULATOR_CRASHED") && (await this.#hasNext(attempt, call)))
          continue;
        if (!isAbortError(error)) await this.#tellFailure(call);
        throw error;
      }
    }
  }

  /** What the process left goes to whoever wants to look into it. Telling must not hide why the process failed. */
  async #tellFailure(call: Call): Promise<void> {
    const { onFailure } = this.#parts;
    if (!onFailure) return;
    const inputs = this.#op.mounts.map(({ input }) =>
      input === undefined ? undefined : this.#inputs[input]?.clone(),
    );
    const states: OpResult[] = [];
    for (const [at, { output }] of this.#op.mounts.entries()) {
      const active = output === undefined ? undefined : this.#writable.get(output);
      states.push(active ? await active.commit(call).catch(() => undefined) : inputs[at]?.clone());
      if (active && output !== undefined) this.#writable.delete(output);
    }
    onFailure({ states, inputs });
  }

  /** Runs the process on layers of this attempt's own. */
  async #attempt(root: LlbMount, attempt: number, call: StepCall): Promise<void> {
    const rootMounts = await this.#snapshotMounts(root, call);
    const mounts: ExecMount[] = [];
    for (const mount of this.#op.mounts) {
      if (mount !== root) mounts.push(...(await this.#execMount(mount, call)));
    }
    this.#held ??= await this.#cacheMounts(call);
    mounts.push(...(this.#lent?.mounts ?? []), ...this.#held);
    const executor = await this.#parts.executor();
    const process = { ...(await this.#process(call)), ...(attempt === 0 ? {} : { attempt }) };
    await executor.run(process, rootMounts, mounts, call);
  }

  /** Whether another emulator is there for a step that crashed; what the step has written is thrown away then. */
  async #hasNext(attempt: number, call: StepCall): Promise<boolean> {
    const executor = await this.#parts.executor();
    const [crashed, next] = await Promise.all(
      [attempt, attempt + 1].map((one) => executor.emulatorOf(this.#platform, call, one)),
    );
    if (next === undefined) return false;
    for (const output of [...this.#writable.keys()]) await this.#discard(output);
    const message = `the step crashed under the emulator ${crashed}; it runs again under ${next}`;
    const { step } = call;
    const at = new Date();
    // In the log where it happened, and after the build.
    call.emit({ type: "log", step, stream: 2, data: new TextEncoder().encode(`${message}\n`), at });
    call.emit({ type: "warning", step, warning: { message }, at });
    return true;
  }

  async #process(call: Call): Promise<ProcessSpec> {
    const op = this.#op;
    const env = [
      ...op.env,
      ...(this.#lent?.env ?? []),
      ...proxyEnvironment(op),
      ...(await secretEnvironment(op, this.#parts.session, call)),
    ];
    return {
      args: op.args,
      env: env.some((one) => one.startsWith("PATH=")) ? env : [defaultPath, ...env],
      cwd: op.cwd,
      platform: this.#platform,
      network: op.network === "sandbox" ? "default" : op.network,
      security: op.security,
      ...(this.#parts.resources === undefined ? {} : { resources: this.#parts.resources }),
      extraHosts: op.extraHosts,
      ulimits: op.ulimits,
      ...(this.#lent ? { additionalGids: this.#lent.additionalGids, hooks: this.#lent.hooks } : {}),
      ...(op.user === "" ? {} : { user: op.user }),
      ...(op.hostname === "" ? {} : { hostname: op.hostname }),
      ...(op.cgroupParent === "" ? {} : { cgroupParent: op.cgroupParent }),
      ...(op.validExitCodes.length === 0 ? {} : { validExitCodes: op.validExitCodes }),
    };
  }

  async #execMount(mount: LlbMount, call: Call): Promise<ExecMount[]> {
    const { target, readonly } = mount;
    switch (mount.type) {
      case "bind": {
        const selector = mount.selector === "" ? {} : { selector: mount.selector };
        const mounts = await this.#snapshotMounts(mount, call);
        return [{ target, readonly, what: { type: "snapshot", mounts, ...selector } }];
      }
      case "tmpfs": {
        const size = mount.tmpfsSize ? { size: mount.tmpfsSize } : {};
        return [{ target, readonly: false, what: { type: "tmpfs", ...size } }];
      }
      case "cache":
        // Held all at once before: see #cacheMounts.
        return [];
      case "secret": {
        const file = await fileFromSecret(mount, this.#parts.session, call);
        return file ? [{ target, readonly: true, what: file }] : [];
      }
      case "ssh": {
        const socket = await socketFromAgent(mount, this.#parts.session, call);
        return socket ? [{ target, readonly: false, what: socket }] : [];
      }
    }
  }

  /** Last, so that nothing else is waited for while other steps wait for these. */
  async #cacheMounts(call: StepCall): Promise<readonly ExecMount[]> {
    const wanted = this.#op.mounts
      .filter(({ type }) => type === "cache")
      .map((mount) => ({
        mount,
        base: mount.input === undefined ? undefined : this.#inputs[mount.input],
      }));
    if (wanted.length === 0) return [];
    const waits = (message: string) => {
      const data = new TextEncoder().encode(`${message}\n`);
      call.emit({ type: "log", step: call.step, stream: 2, data, at: new Date() });
    };
    const held = await this.#parts.cacheMounts.hold(wanted, this.#platform, waits, call);
    this.#owned.use(held);
    return wanted.map(({ mount: { target, readonly, selector } }, at) => {
      const path = held.paths[at] ?? "";
      return {
        target,
        readonly,
        what: { type: "directory", path, ...(selector === "" ? {} : { selector }) },
      };
    });
  }

  /** Read-only views of what cannot change, new layers for the rest. */
  async #snapshotMounts(mount: LlbMount, call: Call): Promise<readonly Mount[]> {
    const input = mount.input === undefined ? undefined : this.#inputs[mount.input];
    if (mount.readonly && input) {
      if (mount.output !== undefined) this.#unchanged.set(mount.output, input);
      return await input.mounts(call);
    }
    const active = await this.#parts.snapshotter.active(input, call);
    if (mount.output === undefined) this.#owned.use(active);
    else this.#writable.set(mount.output, active);
    // Committing ends the layer's life as an active one; until then it is ours to throw away.
    this.#owned.defer(() => this.#discard(mount.output));
    return await active.mounts(call);
  }

  async #discard(output: number | undefined): Promise<void> {
    if (output === undefined) return;
    await this.#writable.get(output)?.[Symbol.asyncDispose]();
    this.#writable.delete(output);
  }

  async #outputs(call: Call): Promise<readonly OpResult[]> {
    const outputs: OpResult[] = [];
    for (const [output, input] of this.#unchanged) outputs[output] = input?.clone();
    for (const [output, active] of this.#writable) {
      outputs[output] = await active.commit(call);
      this.#writable.delete(output);
    }
    return outputs;
  }
}

function proxyEnvironment(op: ExecOp): string[] {
  const proxy = op.proxyEnv;
  if (!proxy) return [];
  const values = {
    HTTP_PROXY: proxy.http,
    HTTPS_PROXY: proxy.https,
    FTP_PROXY: proxy.ftp,
    NO_PROXY: proxy.no,
    ALL_PROXY: proxy.all,
  };
  return Object.entries(values)
    .filter(([, value]) => value !== "")
    .flatMap(([name, value]) => [`${name}=${value}`, `${name.toLowerCase()}=${value}`]);
}
