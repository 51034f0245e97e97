// LLB's ExecOp: a process in a root file system made of mounts, whose writable mounts become results.
import type { FailedWork, Session, StepCall, StepResources } from "../../api/index.ts";
import { AsyncStack, type Call, isAbortError, isKilnError, KilnError } from "../../base/index.ts";
import type { ExecOp, ExecMount as LlbMount } from "../../formats/llb/index.ts";
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
import type { BuildProxy, Fetched } from "../proxy/index.ts";
import type { Op } from "../solver/index.ts";
import type { CacheMounts } from "./cache-mounts.ts";
import { execCacheMap } from "./exec-cache-map.ts";
import { networkOf, processOf } from "./exec-process.ts";
import { runProxied } from "./proxied-run.ts";
import type { OpResult } from "./result.ts";
import { fileFromSecret, secretEnvironment, socketFromAgent } from "./secrets.ts";

/** What exec ops are made of; lent by the engine. */
export interface ExecParts {
  /** Opened when the first process is to run. */
  readonly executor: () => Promise<Executor>;
  readonly snapshotter: Snapshotter;
  readonly cacheMounts: CacheMounts;
  readonly session: Session;
  /** The step is to run whatever is cached; its cache mounts begin anew then. */
  readonly ignoresCache?: boolean;
  /** Limits of the build's processes. */
  readonly resources?: StepResources;
  /** Devices of the machine that steps may ask for; none where absent. */
  readonly devices?: Pick<CdiDevices, "lend">;
  /** What processes that have a network are kept behind; none where absent. */
  readonly proxy?: BuildProxy;
  /** Told what a process fetched through it. */
  readonly onFetched?: (fetched: Fetched) => void;
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
    prepare() {
      const network = networkOf(op);
      const opened = parts.executor();
      // Whoever runs the step meets the failure again.
      opened.then((executor) => executor.prepare?.({ network })).catch(() => {});
    },
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
    const { session, resources } = this.#parts;
    const secrets = await secretEnvironment(this.#op, session, call);
    const about = { platform: this.#platform, lent: this.#lent, resources, secrets };
    const process = { ...processOf(this.#op, about), ...(attempt === 0 ? {} : { attempt }) };
    const { proxy } = this.#parts;
    const run = (proxied: ProcessSpec) => executor.run(proxied, rootMounts, mounts, call);
    const fetched = await runProxied(process, proxy, run, call);
    if (fetched) this.#parts.onFetched?.(fetched);
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

  async #execMount(mount: LlbMount, call: Call): Promise<ExecMount[]> {
    const { target, readonly } = mount;
    switch (mount.type) {
      case "bind": {
        const selector = mount.selector === "" ? {} : { selector: mount.selector };
        const mounts = await this.#snapshotMounts(mount, call);
        return [{ target, readonly, what: { type: "snapshot", mounts, ...selector } }];
      }
      case "tmpfs": {
        const { tmpfsSize: size = 0 } = mount;
        return [
          { target, readonly: false, what: { type: "tmpfs", ...(size > 0 ? { size } : {}) } },
        ];
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
        ...(this.#parts.ignoresCache ? { anewFor: this.#parts.session } : {}),
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
    const { output } = mount;
    // A read-only root gets a layer too, thrown away: places for what is mounted into it may have to be made.
    const unchanged = mount.readonly && (input !== undefined || mount.target === "/");
    if (unchanged && output !== undefined) this.#unchanged.set(output, input);
    if (unchanged && input && mount.target !== "/") return await input.mounts(call);
    const active = await this.#parts.snapshotter.active(input, call);
    if (output === undefined || unchanged) this.#owned.use(active);
    else this.#writable.set(output, active);
    // Committing ends the layer's life as an active one; until then it is ours to throw away.
    if (!unchanged) this.#owned.defer(() => this.#discard(output));
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
