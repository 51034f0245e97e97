// Containers that processes enter one after the other, or side by side: for frontends and for looking into builds.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ContainerProcess, ContainerRequest, Session, StepCall } from "../../api/index.ts";
import { AsyncStack, type Call, isKilnError, KilnError } from "../../base/index.ts";
import type { ExecMount as LlbMount } from "../../formats/llb/index.ts";
import type { Platform } from "../../formats/oci/index.ts";
import { type Mount, mountAt } from "../../storage/snapshot/index.ts";
import type { ExecMount, ProcessControl, ProcessSpec } from "../executor/index.ts";
import type { ExecParts } from "./exec-op.ts";
import { defaultPath } from "./exec-process.ts";
import { directoryView, type FileView } from "./file/view.ts";
import { runProxied } from "./proxied-run.ts";
import type { OpResult } from "./result.ts";
import { fileFromSecret, secretEnvironment, socketFromAgent } from "./secrets.ts";

/** Lent by the engine. */
export type ContainerParts = Pick<ExecParts, "executor" | "snapshotter" | "cacheMounts" | "proxy">;

export interface ContainerRun {
  readonly request: ContainerRequest;
  /** By mount; lent for as long as the container lives. */
  readonly results: readonly OpResult[];
  readonly platform: Platform;
  readonly session: Session;
}

/** Disposing it takes its files away; nothing may run in it any more. */
export interface OpenContainer extends AsyncDisposable {
  /** By mount, as processes see them but without what is mounted into them; undefined for what is no snapshot. */
  readonly views: readonly (FileView | undefined)[];
  /** Resolves with the exit code. `control` is told once the process is being started. */
  run(
    process: ContainerProcess,
    control: (control: ProcessControl) => void,
    call: StepCall,
  ): Promise<number>;
}

export async function openContainer(
  run: ContainerRun,
  parts: ContainerParts,
  call: Call,
): Promise<OpenContainer> {
  await using stack = new AsyncStack();
  const { op } = run.request;
  const at = op.mounts.findIndex(({ target }) => target === "/");
  const root = op.mounts[at];
  if (root?.type !== "bind")
    throw new KilnError("DEFINITION_INVALID", "a container needs a mount at /");
  const executor = await parts.executor();
  await executor.checkPlatform(run.platform, call);
  const directory = mkdtempSync(join(tmpdir(), "kiln-container-"));
  stack.defer(() => rmSync(directory, { recursive: true, force: true }));
  const paths = new Map<number, string>();
  const place: Place = { run, parts, stack, directory, paths };
  const rootPath = await placed(root, at, place, call);
  const mounts: ExecMount[] = [];
  for (const [number, mount] of op.mounts.entries())
    if (number !== at) mounts.push(...(await mountOf(mount, number, place, call)));
  mounts.push(...(await cacheMounts(place, call)));
  // Read-only is what processes see: places for what is mounted into it may have to be made.
  const rootfs: Mount[] = [{ type: "bind", source: rootPath, readonly: false }];
  const owned = stack.move();
  return {
    views: op.mounts.map((_, number) => {
      const path = paths.get(number);
      return path === undefined ? undefined : directoryView(path);
    }),
    async run(process, control, stepCall) {
      const asked = await specOf(process, control, run, stepCall);
      const spec = root.readonly ? { ...asked, readonlyRoot: true } : asked;
      try {
        const ended: { exitCode?: number } = {};
        const start = async (proxied: ProcessSpec) =>
          Object.assign(ended, await executor.run(proxied, rootfs, mounts, stepCall));
        await runProxied(spec, parts.proxy, start, stepCall);
        return ended.exitCode ?? 0;
      } catch (error) {
        const ended =
          isKilnError(error, "PROCESS_FAILED") || isKilnError(error, "EMULATOR_CRASHED");
        const code = ended ? error.details["exitCode"] : undefined;
        if (typeof code === "number") return code;
        throw error;
      }
    },
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}

interface Place {
  readonly run: ContainerRun;
  readonly parts: ContainerParts;
  readonly stack: AsyncStack;
  /** The container's own. */
  readonly directory: string;
  /** Where snapshots are mounted, by mount. */
  readonly paths: Map<number, string>;
}

/** Mounted once, for all processes to share. */
async function placed(mount: LlbMount, number: number, place: Place, call: Call): Promise<string> {
  const { run, parts, stack, directory, paths } = place;
  const result = run.results[number];
  const files =
    mount.readonly && result && mount.target !== "/"
      ? await result.mounts(call)
      : await stack.use(await parts.snapshotter.active(result, call)).mounts(call);
  const [only, second] = files;
  const isPlain = only?.type === "bind" && !second;
  const path = isPlain ? only.source : join(directory, `${number}`);
  paths.set(number, path);
  if (isPlain) return path;
  mkdirSync(path);
  stack.use(mountAt(files, path));
  return path;
}

async function mountOf(
  mount: LlbMount,
  number: number,
  place: Place,
  call: Call,
): Promise<readonly ExecMount[]> {
  const { target, readonly } = mount;
  const { session } = place.run;
  switch (mount.type) {
    case "bind": {
      const path = await placed(mount, number, place, call);
      const selector = mount.selector === "" ? {} : { selector: mount.selector };
      return [{ target, readonly, what: { type: "directory", path, ...selector } }];
    }
    case "tmpfs": {
      const { tmpfsSize: size = 0 } = mount;
      return [{ target, readonly: false, what: { type: "tmpfs", ...(size > 0 ? { size } : {}) } }];
    }
    case "cache":
      return [];
    case "secret": {
      const what = await fileFromSecret(mount, session, call);
      return what ? [{ target, readonly: true, what }] : [];
    }
    case "ssh": {
      const what = await socketFromAgent(mount, session, call);
      return what ? [{ target, readonly: false, what }] : [];
    }
  }
}

async function cacheMounts(
  { run, parts, stack }: Place,
  call: Call,
): Promise<readonly ExecMount[]> {
  const wanted = run.request.op.mounts.flatMap((mount, number) =>
    mount.type === "cache" ? [{ mount, base: run.results[number] }] : [],
  );
  if (wanted.length === 0) return [];
  const held = stack.use(await parts.cacheMounts.hold(wanted, run.platform, () => {}, call));
  return wanted.map(({ mount: { target, readonly, selector } }, at) => {
    const path = held.paths[at] ?? "";
    const what = { type: "directory" as const, path, ...(selector === "" ? {} : { selector }) };
    return { target, readonly, what };
  });
}

async function specOf(
  { op, terminal, input, output }: ContainerProcess,
  control: (control: ProcessControl) => void,
  { request, platform, session }: ContainerRun,
  call: Call,
): Promise<ProcessSpec> {
  const { network, extraHosts, hostname } = request.op;
  const env = [...op.env, ...(await secretEnvironment(op, session, call))];
  return {
    args: op.args,
    env: env.some((one) => one.startsWith("PATH=")) ? env : [defaultPath, ...env],
    cwd: op.cwd,
    platform,
    network: network === "sandbox" ? "default" : network,
    security: op.security,
    extraHosts,
    ulimits: op.ulimits,
    ...(op.user === "" ? {} : { user: op.user }),
    ...(hostname === "" ? {} : { hostname }),
    ...(op.cgroupParent === "" ? {} : { cgroupParent: op.cgroupParent }),
    io: {
      output,
      started: control,
      ...(terminal ? { terminal } : {}),
      ...(input ? { input } : {}),
    },
  };
}
