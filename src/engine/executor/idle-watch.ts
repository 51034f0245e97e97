// Whether the machine's processors have time left.
import { readFileSync } from "node:fs";

/** Share of all processors' time; less may be what the steps that run leave at the end of their turns. */
const idleShare = 0.3;

/**
 * Tells at each call whether the processors had little to do since the call before; the first call only begins to watch.
 * Waiting for a disk is not idleness: more steps would wait for it too. Without /proc/stat never idle.
 */
export function createIdleWatch(
  read: () => string = () => readFileSync("/proc/stat", "utf8"),
): () => boolean {
  let before: Times | undefined;
  return () => {
    const [last, now] = [before, timesOf(read)];
    before = now;
    if (!last || !now) return false;
    const passed = now.all - last.all;
    return passed > 0 && now.idle - last.idle > idleShare * passed;
  };
}

/** In the kernel's ticks, since the machine started. */
interface Times {
  readonly idle: number;
  readonly all: number;
}

/** The line of all processors (proc_stat(5)): user, nice, system, idle, iowait, irq, softirq, steal. */
function timesOf(read: () => string): Times | undefined {
  try {
    const [, line] = /^cpu +(.*)$/m.exec(read()) ?? [];
    const ticks = line?.split(" ").slice(0, 8).map(Number) ?? [];
    const idle = ticks[3];
    if (idle === undefined || ticks.some(Number.isNaN)) return undefined;
    return { idle, all: ticks.reduce((sum, tick) => sum + tick, 0) };
  } catch {
    return undefined;
  }
}
