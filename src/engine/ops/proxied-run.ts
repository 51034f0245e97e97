// Running a process behind its build's proxy, and what is told of its requests.
import type { StepCall } from "../../api/index.ts";
import type { ProcessSpec } from "../executor/index.ts";
import type { BuildProxy, Fetched } from "../proxy/index.ts";

/**
 * Runs the process; behind `proxy` where there is one and the process has a network. Resolves with what it fetched then. What
 * it asked for is in its log also when it fails. Throws `CHECKSUM_MISMATCH` where it got something else than a policy demands.
 */
export async function runProxied(
  process: ProcessSpec,
  proxy: BuildProxy | undefined,
  run: (process: ProcessSpec) => Promise<unknown>,
  call: StepCall,
): Promise<Fetched | undefined> {
  if (!proxy || process.network === "none") {
    await run(process);
    return undefined;
  }
  const own = await proxy.forProcess();
  try {
    await run({ ...process, proxy: own });
  } catch (error) {
    // Why the process failed, then; what it says itself is that an answer broke off.
    own.check();
    throw error;
  } finally {
    const { summary } = own;
    const data = new TextEncoder().encode(summary ?? "");
    if (summary !== undefined)
      call.emit({ type: "log", step: call.step, stream: 2, data, at: new Date() });
  }
  own.check();
  return own.fetched;
}
