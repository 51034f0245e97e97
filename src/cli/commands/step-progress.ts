// Progress of commands that are no builds: steps with lines, shown as a build's are.
import type { BuildEvent } from "../../api/index.ts";
import { digestOf, isKilnError } from "../../base/index.ts";
import { openDisplay, type ProgressMode } from "../progress/index.ts";
import type { RunWorld } from "./command.ts";

export interface StepProgress {
  /** Shows `work` as a step that begins now; `say` adds a line to it. */
  step<T>(name: string, work: (say: (line: string) => void) => Promise<T>): Promise<T>;
}

/** Shows the steps of `work` on standard error. */
export async function withProgress<T>(
  mode: ProgressMode,
  world: RunWorld,
  work: (progress: StepProgress) => Promise<T>,
): Promise<T> {
  const { display } = await openDisplay(mode, world.stderr, world);
  const timer =
    display.tickMs === undefined ? undefined : setInterval(() => display.tick?.(), display.tickMs);
  try {
    return await work({
      step: (name, run) => runStep(name, run, (event) => display.event(event), world),
    });
  } finally {
    clearInterval(timer);
    display.end();
  }
}

async function runStep<T>(
  name: string,
  run: (say: (line: string) => void) => Promise<T>,
  emit: (event: BuildEvent) => void,
  world: RunWorld,
): Promise<T> {
  const step = digestOf(name);
  const about = { type: "step", step, name } as const;
  const say = (line: string) =>
    emit({
      type: "log",
      step,
      stream: 1,
      data: new TextEncoder().encode(`${line}\n`),
      at: world.now(),
    });
  emit({ ...about, at: world.now(), state: "started" });
  try {
    const result = await run(say);
    emit({ ...about, at: world.now(), state: "done" });
    return result;
  } catch (error) {
    const cancelled = !isKilnError(error);
    const message = error instanceof Error ? error.message : String(error);
    emit({
      ...about,
      at: world.now(),
      ...(cancelled ? { state: "cancelled" } : { state: "failed", error: message }),
    });
    throw error;
  }
}
