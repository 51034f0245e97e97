// How many steps may run at once: as many as was said, and no further one while memory is scarce.
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { type Call, delay, Limiter } from "../../base/index.ts";

/** Hands out the right to run one process; disposing gives it back. */
export interface ProcessSlots {
  acquire(call: Call): Promise<Disposable>;
}

export interface ProcessSlotsOptions {
  /** At least 1; by default, steps wait as often as they compute, and a stuck one must not stop the rest. */
  readonly jobs?: number;
  /** Whether one more process would be one too many; asked while others run. */
  readonly isMemoryScarce?: () => boolean;
  /** Milliseconds between two such questions. */
  readonly patienceMs?: number;
}

/** First come, first served. A step starts in any case when no other runs, however little memory there is. */
export function createProcessSlots({
  jobs = Math.max(8, 4 * availableParallelism()),
  isMemoryScarce = systemMemoryIsScarce,
  patienceMs = 250,
}: ProcessSlotsOptions = {}): ProcessSlots {
  const slots = new Limiter(jobs);
  // One at a time looks at the memory, so that not all start at the moment when there is some again.
  const entrance = new Limiter(1);
  let running = 0;
  return {
    async acquire(call) {
      const slot = await slots.acquire(call);
      try {
        using _turn = await entrance.acquire(call);
        while (running > 0 && isMemoryScarce()) await delay(patienceMs, call);
      } catch (error) {
        slot[Symbol.dispose]();
        throw error;
      }
      running++;
      let held = true;
      return {
        [Symbol.dispose]() {
          if (held) running--;
          held = false;
          slot[Symbol.dispose]();
        },
      };
    },
  };
}

/** Scarce is a twentieth of the memory, and never more than this, in KiB. */
const scarceKiB = 256 * 1024;

function systemMemoryIsScarce(): boolean {
  try {
    return isScarce(readFileSync("/proc/meminfo", "utf8"));
  } catch {
    return false;
  }
}

/** What /proc/meminfo says: programs could hardly get any more memory. False where it does not say. */
export function isScarce(meminfo: string): boolean {
  const value = (name: string) => {
    const text = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(meminfo)?.[1];
    return text === undefined ? undefined : Number(text);
  };
  const [total, available] = [value("MemTotal"), value("MemAvailable")];
  if (total === undefined || available === undefined) return false;
  return available < Math.min(total / 20, scarceKiB);
}
