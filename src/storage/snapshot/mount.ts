// Mounting what `mounts()` describes, so that nothing outlives the process: detached or in a private mount namespace.
import type { Call } from "../../base/index.ts";
import type { Mount } from "./snapshot.ts";

/**
 * Mounts at the existing directory `target`, in a mount namespace private to this process (entered at the first mount),
 * so that even kill -9 leaves nothing on the host. Only synchronous fs calls on the main thread, child processes and
 * Workers started later see it. Disposing unmounts.
 */
export function mountAt(mounts: readonly Mount[], target: string): Disposable {
  throw new Error(`not yet ${mounts} ${target}`);
}

/**
 * Calls `use` with a directory that shows `mounts`; it is gone afterwards. Read and write below it with synchronous fs
 * calls on the main thread only, and resolve paths with `resolveInRoot`.
 */
export async function withMounted<T>(
  mounts: readonly Mount[],
  call: Call,
  use: (directory: string) => T | Promise<T>,
): Promise<T> {
  throw new Error(`not yet ${mounts} ${call} ${use}`);
}

/** Moves this process into a mount namespace of its own (once; later calls do nothing). Main thread only. */
export function enterMountNamespace(): void {
  throw new Error("not yet");
}
