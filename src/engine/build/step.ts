// Work that is shown as a step though it is no vertex: look-ups of names, exports.
import type { BuildEvent, StepCall } from "../../api/index.ts";
import { type Call, digestOf, isAbortError } from "../../base/index.ts";

export type Emit = (event: BuildEvent) => void;

/** Runs `work` as a step of its own, announcing start and end. `key` tells steps of the same name apart. */
export async function runStep<T>(
  {
    name,
    key,
    emit,
    now,
  }: { readonly name: string; readonly key: string; readonly emit: Emit; readonly now: () => Date },
  work: (call: StepCall) => Promise<T>,
  call: Call,
): Promise<T> {
  const step = digestOf(`${key}\n${name}`);
  emit({ type: "step", step, name, at: now(), state: "started" });
  try {
    const result = await work({ signal: call.signal, step, emit });
    emit({ type: "step", step, name, at: now(), state: "done" });
    return result;
  } catch (error) {
    const state = isAbortError(error) ? "cancelled" : "failed";
    emit({
      type: "step",
      step,
      name,
      at: now(),
      state,
      error: String(error instanceof Error ? error.message : error),
    });
    throw error;
  }
}
