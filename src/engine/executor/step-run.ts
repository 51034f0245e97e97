// Running one step whose bundle is written: inside its limits, watched to its end, and why it failed if it did.
import { join } from "node:path";
import type { StepCall } from "../../api/index.ts";
import { AsyncStack, KilnError } from "../../base/index.ts";
import { groupOf, removeGroup } from "./cgroup.ts";
import { listenForEmulator } from "./emulator-words.ts";
import type { ProcessSpec, ResourceUsage } from "./executor.ts";
import { type Ending, processFailed } from "./failure.ts";
import { type LimitGroups, limitedCommand, machineOomKills, openLimits } from "./limits.ts";
import { explainProgram, type Program } from "./program.ts";
import { askInnermost, startTold } from "./proot/start-told.ts";
import { type Leash, runCommand } from "./run-command.ts";
import type { Runtime } from "./runtime.ts";
import { runtimeError } from "./runtime-log.ts";
import { startLeashed } from "./start-leashed.ts";
import type { Bundle, Step } from "./step-bundle.ts";
import type { StepFilter } from "./step-filter.ts";
import { type SuperviseOptions, supervise } from "./supervise.ts";
import { removeWork } from "./work-directory.ts";

/** What steps are run by, the same for all of an executor. */
export interface RunParts {
  readonly runtime: Runtime;
  readonly leash: Leash;
  readonly filter: StepFilter;
  /** The executor's, in memory; the runtime's state lies below it. */
  readonly directory: string;
  readonly now: () => Date;
}

/** Resolves when nothing of the step runs any more. Rejects with `PROCESS_FAILED` or `EMULATOR_CRASHED` on a bad exit. */
export async function runBundle(
  step: Step,
  bundle: Bundle,
  parts: RunParts,
  call: StepCall,
): Promise<ResourceUsage> {
  const { process, number, emulation } = step;
  const { runtime, filter, now } = parts;
  const prefixed = emulation.kind === "prefix";
  const logFile = join(bundle.path, "runtime.log");
  const id = `kiln-${number}`;
  const stateDir = join(parts.directory, "state");
  const command = runCommand(runtime, parts.leash, {
    ...{ stateDir, logFile, id },
    bundle: bundle.path,
    descriptors: prefixed ? 1 : 0,
    enter: bundle.enter,
  });
  await using stack = new AsyncStack();
  const listener = filter.lend();
  if (listener) stack.use(listener);
  const limits = limitsOf(step, parts);
  if (limits) stack.use(limits);
  const listening = emulation.kind === "native" ? undefined : listenForEmulator(call);
  const killedBefore = machineOomKills();
  const began = performance.now();
  const { spec } = bundle;
  let exitCode: number;
  try {
    const owner = spec.process.user;
    const { stdio = "log", io } = process;
    exitCode = await supervise(
      limitedCommand(command, limits?.procs ?? []),
      { stdio, io, directory: bundle.path, owner, now, ...starting(prefixed, parts.leash) },
      listening?.call ?? call,
    );
  } finally {
    // Only there when the runtime was killed.
    removeWork(join(stateDir, id));
    if (spec.linux.cgroupsPath !== undefined) removeGroup(spec.linux.cgroupsPath);
  }
  const usage = { exitCode, wallMs: performance.now() - began };
  if (isValidExit(process, exitCode)) return usage;
  const outOfMemory = limits?.oomKills()
    ? "limit"
    : machineOomKills() > killedBefore
      ? "machine"
      : undefined;
  const { program } = bundle;
  const emulatorWords = listening?.words();
  throw await failure(step, { exitCode, program, logFile, outOfMemory, emulatorWords }, call);
}

function starting(prefixed: boolean, leash: Leash): Pick<SuperviseOptions, "start"> {
  if (prefixed) return { start: startTold({ signal: "SIGKILL", ask: askInnermost }) };
  return leash.whole ? { start: startLeashed } : {};
}

function limitsOf(
  { process: spec, number, warn }: Step,
  { runtime, directory }: Pick<RunParts, "runtime" | "directory">,
): LimitGroups | undefined {
  const { resources = {}, cgroupParent: parent = "" } = spec;
  if (runtime.name === "runc") {
    if (parent !== "" || Object.keys(resources).length > 0)
      warn("limits and a parent group for steps need crun, and are not applied");
    return undefined;
  }
  const name = groupOf(process.pid, number).slice(1);
  return openLimits({ resources, parent, name, directory: join(directory, "cgroups"), warn });
}

function isValidExit({ validExitCodes }: ProcessSpec, exitCode: number): boolean {
  return validExitCodes?.length ? validExitCodes.includes(exitCode) : exitCode === 0;
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
