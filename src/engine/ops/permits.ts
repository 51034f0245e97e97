// Slots for steps: ops that only shuffle files need none, processes wait for one.
import type { Call } from "../../base/index.ts";

const nothing: AsyncDisposable = { async [Symbol.asyncDispose]() {} };

/** For ops that need no slot. */
export async function unlimited(_call: Call): Promise<AsyncDisposable> {
  return nothing;
}
