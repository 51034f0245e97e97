// Collecting without being asked: after builds and during them, when a limit is near; nothing is counted far from it.
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { UsageRecord } from "../../api/index.ts";
import { type Call, isRecord, log, writeFileAtomic } from "../../base/index.ts";
import {
  bytesOfSpace,
  defaultPolicies,
  type GcOptions,
  type GcPolicy,
  parseAlternatives,
} from "../retention/index.ts";
import type { SpaceLimits } from "./choose.ts";
import { takeInventory, totalSize } from "./inventory.ts";
import type { UsageParts } from "./parts.ts";
import { diskSpace, isPlain, removeItems } from "./prune.ts";

const debug = log("usage");

/** Rules that go by age alone are looked at this often, in milliseconds. */
const countEvery = 24 * 3_600_000;
/** During a build, how often the disk is asked how full it is, and how soon it is collected again. */
const watchEvery = 1000;
const restAfter = 20_000;

/** Nearer to a limit than this, in bytes, what is new is counted: what others free on the disk hides what is written. */
const nearLimit = 1024 ** 3;
/** How coarse times of directories are, in milliseconds. */
const stampStep = 10;

/** What the last count found. */
interface Count {
  readonly at: number;
  readonly used: number;
  readonly free: number;
}

export interface Collector {
  /** Applies the rules when they may have something to say. Failures are left to the debug log: a build does not fail by them. */
  collect(call: Call): Promise<void>;
  /** Watches the disk while a build runs; disposing ends that. */
  watch(call: Call): AsyncDisposable;
}

export function createCollector(parts: UsageParts, options: GcOptions): Collector {
  const file = join(parts.root, "gc.json");
  let running: Promise<void> | undefined;

  async function apply(call: Call): Promise<void> {
    const { total } = diskSpace(parts.root);
    for (const policy of policiesFor(total)) {
      const inventory = await takeInventory(parts, call);
      const limits = limitsOf(policy, total);
      const mayGo = matcher(policy, parts.now());
      for await (const record of removeItems(inventory, { limits, mayGo }, parts, call))
        debug.debug("removed", { id: record.id, size: record.size });
    }
    const { items } = await takeInventory(parts, call);
    const count: Count = {
      at: parts.now().getTime(),
      used: totalSize(items),
      free: diskSpace(parts.root).free,
    };
    writeFileAtomic(file, JSON.stringify(count));
  }

  function policiesFor(total: number): readonly GcPolicy[] {
    return options.policies ?? defaultPolicies(options, total);
  }

  function isNeeded(): boolean {
    const { free, total } = diskSpace(parts.root);
    const last = readCount(file);
    const now = parts.now().getTime();
    if (now - (last?.at ?? statSync(parts.root).birthtimeMs) > countEvery) return true;
    // What others wrote meanwhile is taken for ours: then it is counted once too often.
    const used = last === undefined ? total - free : last.used + Math.max(0, last.free - free);
    const margin =
      last !== undefined && newestIn(parts.grows) > last.at - stampStep ? nearLimit : 0;
    return policiesFor(total).some((policy) => {
      const { maxUsedSpace = 0, minFreeSpace = 0 } = limitsOf(policy, total);
      if (policy.filters !== undefined) return false;
      const tooFull = minFreeSpace > free && (last === undefined || last.free - free > free / 20);
      return tooFull || (maxUsedSpace > 0 && used + margin > maxUsedSpace);
    });
  }

  function collect(call: Call): Promise<void> {
    if (options.enabled === false) return Promise.resolve();
    running ??= (async () => {
      try {
        if (isNeeded()) await apply(call);
      } catch (error) {
        debug.debug("could not collect", { error: String(error) });
      } finally {
        running = undefined;
      }
    })();
    return running;
  }

  return {
    collect,
    watch(call) {
      let resting = 0;
      const timer = setInterval(() => {
        if (running || call.signal.aborted || Date.now() < resting || !isNeeded()) return;
        resting = Date.now() + restAfter;
        void collect(call);
      }, watchEvery);
      timer.unref();
      return {
        async [Symbol.asyncDispose]() {
          clearInterval(timer);
          await running;
        },
      };
    },
  };
}

/** When something was last put into one of the directories, or taken out, in milliseconds since 1970. */
function newestIn(directories: readonly string[]): number {
  const times = directories.map(
    (directory) => statSync(directory, { throwIfNoEntry: false })?.mtimeMs ?? 0,
  );
  return Math.max(0, ...times);
}

function limitsOf(policy: GcPolicy, disk: number): SpaceLimits {
  return {
    reservedSpace: bytesOfSpace(policy.reservedSpace, disk),
    maxUsedSpace: bytesOfSpace(policy.maxUsedSpace, disk),
    minFreeSpace: bytesOfSpace(policy.minFreeSpace, disk),
  };
}

function matcher(policy: GcPolicy, now: Date): (record: UsageRecord) => boolean {
  const anyOf = parseAlternatives(policy.filters ?? []);
  const keep = policy.keepDuration ?? 0;
  return (record) => {
    if (policy.all !== true && !isPlain(record)) return false;
    if (!anyOf.holds(record, now)) return false;
    return now.getTime() - (record.lastUsedAt ?? record.createdAt).getTime() >= keep;
  };
}

function readCount(file: string): Count | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(file, "utf8"));
    if (!isRecord(value)) return undefined;
    const { at, used, free } = value;
    if (typeof at !== "number" || typeof used !== "number" || typeof free !== "number")
      return undefined;
    return { at, used, free };
  } catch {
    return undefined;
  }
}
