// Finds a container runtime and makes the executor that runs steps with it.
import type { Executor } from "./executor.ts";

export interface ExecutorOptions {
  /** A directory on disk for what outlives a process (the compiled system call filter); made when missing. */
  readonly stateDir: string;
  /** `crun`, `runc`, or the path of one; the first that is found where absent. */
  readonly runtime?: string;
}

/**
 * Opens the executor of this process. Enters a private mount namespace (as `mountAt` does), so nothing it mounts
 * outlives the process. Throws `RUNTIME_MISSING` when neither crun nor runc is installed. Main thread only.
 */
export async function openExecutor(options: ExecutorOptions): Promise<Executor> {
  throw new Error(`not yet ${options.stateDir}`);
}
