// What exporters say of themselves, in the reference's words, as progress of the step that exports.
import type { StepCall } from "../../api/index.ts";

/** Tells that `id` begins, and that it is done unless `work` fails. */
export async function announced<T>(id: string, call: StepCall, work: () => Promise<T>): Promise<T> {
  const progress = { type: "progress", step: call.step, id, current: 0 } as const;
  call.emit({ ...progress, at: new Date() });
  const result = await work();
  call.emit({ ...progress, at: new Date(), done: true });
  return result;
}

/** Tells that `id` has happened. */
export function announce(id: string, call: StepCall): void {
  call.emit({ type: "progress", step: call.step, id, current: 0, at: new Date(), done: true });
}
