// Telling what a dead process left behind from what a live one still uses, on a store that several processes share.
import { readFileSync, readlinkSync } from "node:fs";

let own: string | undefined;

/**
 * Names this process for good: boot, pid namespace, pid and start time. Part of the names of its unfinished files; holds
 * letters, digits and `_` only.
 */
export function processTag(): string {
  own ??= [bootId(), pidNamespace(), process.pid, startTime("self") ?? "0"].join("_");
  return own;
}

/**
 * Whether the process of that tag has ended. "unknown" when it ran in another pid namespace (a container that shares the
 * store): then only age tells. Malformed tags are of the dead.
 */
export function isDead(tag: string): boolean | "unknown" {
  if (tag === processTag()) return false;
  const [boot, namespace, pid, start] = tag.split("_");
  if (pid === undefined || start === undefined || !/^\d+$/.test(pid)) return true;
  if (boot !== bootId()) return true;
  if (namespace !== pidNamespace()) return "unknown";
  return startTime(pid) !== start;
}

function bootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "latin1").replaceAll("-", "").trim();
  } catch {
    return "0";
  }
}

function pidNamespace(): string {
  try {
    return readlinkSync("/proc/self/ns/pid").replace(/\D/g, "");
  } catch {
    return "0";
  }
}

/** Field 22 of proc(5)'s stat, in clock ticks since boot; with the pid it names a process. Undefined when there is none. */
function startTime(pid: string): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The second field, the program's name, may hold anything; the last parenthesis ends it.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    // A process that has ended is still listed until its parent has asked how.
    return fields[0] === "Z" || fields[0] === "X" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}
