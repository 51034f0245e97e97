// Builds of this process: the disk is watched while they run; afterwards what they used is let go and the store collected.
import type { Build } from "../../api/index.ts";
import { type Call, uncancelled } from "../../base/index.ts";
import type { Collector } from "./collector.ts";

export interface Activity {
  /** Counts the build in until it has ended. */
  during(build: Build, call: Call): Build;
  /** When nothing runs and all clearing up is done. */
  ended(): Promise<void>;
}

/** `release` is called when no build runs: nothing counts on what they used any more. */
export function createActivity(collector: Collector, release: () => void): Activity {
  let running = 0;
  let idle: Promise<void> = Promise.resolve();
  const end = async (watching: AsyncDisposable) => {
    running--;
    await watching[Symbol.asyncDispose]();
    if (running > 0) return;
    release();
    await collector.collect(uncancelled);
  };
  return {
    during(build: Build, call: Call): Build {
      running++;
      const watching = collector.watch(call);
      const before = idle;
      // Failures are the asker's to see.
      idle = build.result.then(
        () => end(watching),
        () => end(watching),
      );
      idle = Promise.all([before, idle]).then(() => {});
      return build;
    },
    ended: () => idle,
  };
}
