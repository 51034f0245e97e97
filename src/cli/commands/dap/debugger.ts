// Running a build by its instructions: where it stops, what is there, and how it goes on.
import type {
  BuildBridge,
  BuildRequest,
  FrontendResult,
  PlatformResult,
  ResultRef,
} from "../../../api/index.ts";
import { abortable, type Call, isAbortError } from "../../../base/index.ts";
import type { Definition } from "../../../formats/llb/index.ts";
import { type DebugTarget, failedTarget, networkOf, resultTarget } from "../debug/target.ts";
import { type Instruction, instructionAt, instructionsOf, outputOf } from "./program.ts";

/** How to go on: to the next breakpoint, to the next instruction of the stage, of any stage, or of another stage. */
export type Going = "continue" | "next" | "stepIn" | "stepOut";

/** Where the build stands. */
export interface Stop {
  readonly reason: "entry" | "breakpoint" | "step" | "exception";
  readonly instruction: Instruction;
  readonly all: readonly Instruction[];
  /** What failed, in words. */
  readonly error?: string;
  /** What processes can enter; made when it is asked for. */
  target(call: Call): Promise<DebugTarget>;
}

export interface DebuggerOptions {
  /** Lines of the Dockerfile with breakpoints, as they are now. */
  readonly lines: () => readonly number[];
  readonly stopOnEntry: () => boolean;
  readonly stopOnFailure: () => boolean;
  /** Told where the build stands; resolves with how to go on. */
  readonly stopped: (stop: Stop, call: Call) => Promise<Going>;
}

/** Drives one build; every platform's instructions one after the other. */
export async function driveDebugged(
  { frontend = "dockerfile.v0", attrs, inputs = {} }: BuildRequest,
  options: DebuggerOptions,
  bridge: BuildBridge,
  call: Call,
): Promise<FrontendResult> {
  const described = await bridge.frontend({ name: frontend, attrs, inputs }, call);
  for (const platform of described.platforms)
    if (platform.definition)
      await runInstructions(
        { platform, definition: platform.definition, bridge, network: networkOf(attrs) },
        options,
        call,
      );
  return described;
}

interface Running {
  readonly platform: PlatformResult;
  readonly definition: Definition;
  readonly bridge: BuildBridge;
  readonly network: ReturnType<typeof networkOf>;
}

async function runInstructions(
  running: Running,
  options: DebuggerOptions,
  call: Call,
): Promise<void> {
  const all = instructionsOf(running.definition);
  let going: Going = "continue";
  let from: Instruction | undefined;
  for (const [at, instruction] of all.entries()) {
    const marked = options.lines().some((line) => instructionAt(all, line) === instruction);
    const left = all.slice(at);
    const reason: Stop["reason"] | undefined =
      at === 0 && options.stopOnEntry()
        ? "entry"
        : marked
          ? "breakpoint"
          : from && isStep(going, from, instruction, left)
            ? "step"
            : undefined;
    if (reason) {
      const target = (asked: Call) => beforeTarget(running, instruction, asked);
      going = await abortable(options.stopped({ reason, instruction, all, target }, call), call);
      from = instruction;
    }
    await runOne(running, instruction, { options, all }, call);
  }
}

/** Whether stepping ends before `next`; the rest of the program begins with it. */
function isStep(
  going: Going,
  from: Instruction,
  next: Instruction,
  left: readonly Instruction[],
): boolean {
  if (going === "continue") return false;
  if (going === "stepIn") return true;
  if (going === "stepOut") return next.stage !== from.stage;
  return next.stage === from.stage || !left.some(({ stage }) => stage === from.stage);
}

async function runOne(
  { definition, bridge }: Running,
  instruction: Instruction,
  { options, all }: { readonly options: DebuggerOptions; readonly all: readonly Instruction[] },
  call: Call,
): Promise<void> {
  const before = bridge.failures().length;
  try {
    await bridge.solve(outputOf(definition, instruction.op.digest, 0), call);
  } catch (error) {
    if (isAbortError(error) || call.signal.aborted || !options.stopOnFailure()) throw error;
    const failed = bridge.failures().slice(before)[0];
    if (failed) {
      const stop: Stop = {
        reason: "exception",
        instruction,
        all,
        error: error instanceof Error ? error.message : String(error),
        target: async () => failedTarget(bridge, failed),
      };
      await abortable(options.stopped(stop, call), call);
    }
    throw error;
  }
}

/** An instruction that has not run yet, with the files that it will find. */
async function beforeTarget(
  { definition, bridge, platform, network }: Running,
  { exec, inputs, name, op }: Instruction,
  call: Call,
): Promise<DebugTarget> {
  const solved = (input: Instruction["inputs"][number] | undefined) =>
    input
      ? bridge.solve(outputOf(definition, input.digest, input.index), call)
      : Promise.resolve<ResultRef | undefined>(undefined);
  if (!exec) {
    const files = await solved(inputs[0]);
    return { ...resultTarget(bridge, platform, files, network), name };
  }
  const refs = await Promise.all(
    exec.mounts.map(({ input }) => solved(input === undefined ? undefined : inputs[input])),
  );
  return failedTarget(bridge, {
    step: op.digest,
    name,
    op: exec,
    encoded: op.bytes,
    platform: platform.platform,
    states: refs,
    inputs: refs,
  });
}
