// How many steps may run at once: as many as keep the processors busy, and no further one while memory is scarce.
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { type Call, delay, Limiter } from "../../base/index.ts";
import { createIdleWatch } from "./idle-watch.ts";

/** Hands out the right to run one process; disposing gives it back. */
export interface ProcessSlots {
  acquire(call: Call): Promise<Disposable>;
}

export interface ProcessSlotsOptions {
  /** Never more than that, at least 1. By default some for each processor, and more while those that run mostly wait. */
  readonly jobs?: number;
  /** Whether one more process would be one too many; asked while others run. */
  readonly isMemoryScarce?: () => boolean;
  /** Whether the processors had little to do since the question before. */
  readonly isIdle?: () => boolean;
  /** Milliseconds between two questions of a kind. */
  readonly patienceMs?: number;
}

const processors = availableParallelism();
/** Steps for each processor: they wait as often as they compute, and a stuck one must not stop the rest. */
const usualJobs = Math.max(8, 4 * processors);
/** However little they do: each has memory, mounts and namespaces. */
const mostJobs = 8 * usualJobs;
const defaultPatienceMs = 100;

/** First come, first served. A step starts in any case when no other runs, however little memory there is. */
export function createProcessSlots({
  jobs,
  isMemoryScarce = systemMemoryIsScarce,
  isIdle = createIdleWatch(),
  patienceMs = defaultPatienceMs,
}: ProcessSlotsOptions = {}): ProcessSlots {
  const slots = new Limiter(jobs ?? usualJobs);
  // One at a time looks at the memory, so that not all start at the moment when there is some again.
  const entrance = new Limiter(1);
  let running = 0;
  let watch: NodeJS.Timeout | undefined;
  const look = () => {
    if (slots.waiting === 0) {
      clearInterval(watch);
      watch = undefined;
    } else if (isIdle() && running < mostJobs) slots.admit(2 * processors);
  };
  const enter = (call: Call): Promise<Disposable> => {
    const slot = slots.acquire(call);
    if (jobs === undefined && watch === undefined && slots.waiting > 0) {
      isIdle();
      watch = setInterval(look, patienceMs).unref();
    }
    return slot;
  };
  return {
    async acquire(call) {
      const slot = await enter(call);
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
