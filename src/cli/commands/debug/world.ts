// A world whose builder lets its builds be entered.
import type { BuildBridge, Builder, BuildRequest, FrontendResult } from "../../../api/index.ts";
import { type Call, isAbortError } from "../../../base/index.ts";
import { openBuilder } from "../builders/builder.ts";
import type { RunWorld } from "../command.ts";
import { copyOut, readCopies } from "./copy.ts";
import { Monitor } from "./monitor.ts";
import { type DebugTarget, failedTarget, networkOf, resultTarget } from "./target.ts";

export interface DebugOptions {
  readonly on: "error" | "always";
  /** Empty for a shell. */
  readonly invoke: string;
  /** `PATH=DEST`. */
  readonly copy: readonly string[];
}

/** Throws `FLAG_INVALID` for what cannot be copied. */
export function debugWorld(options: DebugOptions, world: RunWorld): RunWorld {
  const copies = readCopies(options.copy, world);
  const look = async (target: DebugTarget, again: Again, call: Call): Promise<void> => {
    await copyOut(copies, target, world, call);
    if (copies.length > 0 && options.invoke === "" && !world.stdin.isTerminal) return;
    await using monitor = new Monitor(target, options.invoke, world, again, call);
    await monitor.run();
  };
  return {
    ...world,
    async openBuilder() {
      const builder = await openBuilder(world);
      return {
        ...builder,
        build: build(builder),
        [Symbol.asyncDispose]: () => builder[Symbol.asyncDispose](),
      };
    },
  };

  function build(builder: Builder): Builder["build"] {
    return (request, session, call) => {
      if (request.plan || request.attrs["requestid"]) return builder.build(request, session, call);
      const drive = (bridge: BuildBridge, driving: Call) =>
        driveBuild(request, options, { bridge, look }, driving);
      return builder.build({ ...request, drive }, session, call);
    };
  }
}

/** Builds once more, and says what can be entered then. */
export type Again = (call: Call) => Promise<DebugTarget>;

interface Driving {
  readonly bridge: BuildBridge;
  readonly look: (target: DebugTarget, again: Again, call: Call) => Promise<void>;
}

/** What one try came to. */
interface Attempt {
  readonly described?: FrontendResult;
  readonly target?: DebugTarget;
  readonly error?: unknown;
}

async function driveBuild(
  request: BuildRequest,
  { on }: DebugOptions,
  { bridge, look }: Driving,
  call: Call,
): Promise<FrontendResult> {
  let last = await attempt(request, bridge, call);
  const again: Again = async (calling) => {
    last = await attempt(request, bridge, calling);
    if (last.target) return last.target;
    throw last.error;
  };
  if (last.target && (last.error !== undefined || on === "always"))
    await look(last.target, again, call);
  if (last.described && last.error === undefined) return last.described;
  throw last.error;
}

async function attempt(request: BuildRequest, bridge: BuildBridge, call: Call): Promise<Attempt> {
  const before = bridge.failures().length;
  const { frontend = "dockerfile.v0", attrs, inputs = {} } = request;
  try {
    const described = await bridge.frontend({ name: frontend, attrs, inputs }, call);
    const solved = await Promise.all(
      described.platforms.map(({ definition }) =>
        definition ? bridge.solve(definition, call) : undefined,
      ),
    );
    const [first] = described.platforms;
    if (!first) return { described };
    return { described, target: resultTarget(bridge, first, solved[0], networkOf(attrs)) };
  } catch (error) {
    if (isAbortError(error)) throw error;
    const failed = bridge.failures().slice(before)[0];
    return { error, ...(failed ? { target: failedTarget(bridge, failed) } : {}) };
  }
}
