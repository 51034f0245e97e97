// What of a build can be entered: the step that failed, as it was then or as it began, or the result.
import type {
  Attrs,
  BuildBridge,
  Container,
  ContainerProcess,
  FailedStep,
  PlatformResult,
  ResultRef,
} from "../../../api/index.ts";
import type { Call } from "../../../base/index.ts";
import type { ExecOp } from "../../../formats/llb/index.ts";

export interface DebugTarget {
  /** For people: the step's words, or `the result`. */
  readonly name: string;
  /** The command that failed; empty where none did. */
  readonly args: readonly string[];
  /** Files of its root, as they are entered. */
  readonly files: ResultRef | undefined;
  /** A container of its own, with fresh files; `initial` is the state before the step. */
  open(options: { readonly initial: boolean }, call: Call): Promise<Container>;
  /** How a command starts in it. */
  process(args: readonly string[]): ContainerProcess["op"];
}

export function failedTarget(bridge: BuildBridge, failed: FailedStep): DebugTarget {
  const { op, platform, states, inputs } = failed;
  const root = op.mounts.findIndex(({ target }) => target === "/");
  return {
    name: failed.name,
    args: op.args,
    files: states[root],
    open: ({ initial }, call) =>
      bridge.container({ op, refs: initial ? inputs : states, platform }, call),
    process: (args) => ({ ...op, args }),
  };
}

/** The network of a build's steps, where nothing else is said in the Dockerfile. */
export function networkOf(attrs: Attrs): ExecOp["network"] {
  const mode = attrs["force-network-mode"];
  return mode === "host" || mode === "none" ? mode : "sandbox";
}

/** `network` is that of the build's steps. */
export function resultTarget(
  bridge: BuildBridge,
  { config, platform }: PlatformResult,
  files: ResultRef | undefined,
  network: ExecOp["network"],
): DebugTarget {
  const { Env = [], WorkingDir, User = "" } = config.config ?? {};
  const mount = { type: "bind", target: "/", selector: "", readonly: false } as const;
  const op = {
    mounts: [{ ...mount, contentCache: "default" as const }],
    network,
    extraHosts: [],
    hostname: "",
  };
  return {
    name: "the result",
    args: [],
    files,
    open: (_options, call) => bridge.container({ op, refs: [files], platform }, call),
    process: (args) => ({
      args,
      env: Env ?? [],
      cwd: WorkingDir || "/",
      user: User,
      security: "sandbox",
      secretEnv: [],
      ulimits: [],
      cgroupParent: "",
    }),
  };
}
