// The store's lock: flock(2) on one file, which buildx takes too.
import { spawn } from "node:child_process";
import { closeSync, constants, openSync } from "node:fs";
import { type Call, KilnError, log, throwIfAborted } from "../../base/index.ts";

/** Whoever waits longer is told who keeps it waiting; changes take milliseconds. */
const patience = 20_000;

/**
 * Holds the lock of `file`, which is created, until it is disposed or the process ends. Node cannot call flock(2): the
 * program flock(1) takes the lock on the descriptor it inherits, and the lock belongs to the open file, which stays ours.
 * Without that program changes are still whole, each file being replaced at once, but not kept apart.
 */
export async function lockFile(file: string, call: Call): Promise<Disposable> {
  throwIfAborted(call);
  const descriptor = openSync(file, constants.O_RDWR | constants.O_CREAT, 0o600);
  try {
    await flock(descriptor, file, call);
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
  return { [Symbol.dispose]: () => closeSync(descriptor) };
}

function flock(descriptor: number, file: string, call: Call): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn("flock", ["-x", "-w", String(patience / 1000), "3"], {
      stdio: ["ignore", "ignore", "ignore", descriptor],
      signal: call.signal,
    });
    child.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT") return reject(call.signal.aborted ? call.signal.reason : error);
      log("builders").debug("flock(1) is not installed: changes of builders are not kept apart");
      resolve();
    });
    child.on("close", (code) => {
      if (code === 0) return resolve();
      reject(
        new KilnError("CONFIG_INVALID", `another program holds ${file} for too long`, {
          hint: `See which: fuser ${file}`,
        }),
      );
    });
  });
}
