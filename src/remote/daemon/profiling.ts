// Profiles of this process, taken by V8 while it works: where time goes, and what memory is allocated.
import type { HeapProfiler, Profiler } from "node:inspector";
import { Session } from "node:inspector/promises";
import { type Call, delay } from "../../base/index.ts";
import { encodeProfile, type Frame, type Sample } from "./pprof.ts";

/** For `go tool pprof`; null where another profile of that kind is being taken. */
export type TakeProfile = (milliseconds: number, call: Call) => Promise<Uint8Array | null>;

let busy = false;

async function alone<T>(work: (session: Session) => Promise<T>): Promise<T | null> {
  if (busy) return null;
  busy = true;
  const session = new Session();
  session.connect();
  try {
    return await work(session);
  } finally {
    session.disconnect();
    busy = false;
  }
}

/** What runs, by samples. */
export const takeCpuProfile: TakeProfile = (milliseconds, call) =>
  alone(async (session) => {
    const startedAt = Date.now();
    await session.post("Profiler.enable");
    await session.post("Profiler.start");
    await delay(milliseconds, call);
    const { profile } = await session.post("Profiler.stop");
    const types = [
      ["samples", "count"],
      ["cpu", "nanoseconds"],
    ] as const;
    const duration = Date.now() - startedAt;
    return encodeProfile({ types, samples: cpuSamples(profile), startedAt, duration });
  });

/** What is allocated meanwhile and still there at the end, by samples. */
export const takeHeapProfile: TakeProfile = (milliseconds, call) =>
  alone(async (session) => {
    const startedAt = Date.now();
    await session.post("HeapProfiler.enable");
    await session.post("HeapProfiler.startSampling");
    await delay(milliseconds, call);
    const { profile } = await session.post("HeapProfiler.stopSampling");
    const types = [["inuse_space", "bytes"]] as const;
    const duration = Date.now() - startedAt;
    return encodeProfile({ types, samples: heapSamples(profile.head, []), startedAt, duration });
  });

function cpuSamples(profile: Profiler.Profile): readonly Sample[] {
  const parents = new Map(
    profile.nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node] as const)),
  );
  const spent = new Map<number, number>();
  profile.samples?.forEach((id, at) => {
    spent.set(id, (spent.get(id) ?? 0) + (profile.timeDeltas?.[at] ?? 0));
  });
  return profile.nodes.flatMap((node) => {
    if (!node.hitCount) return [];
    const stack: Frame[] = [];
    for (let at: Profiler.ProfileNode | undefined = node; at; at = parents.get(at.id))
      stack.push(at.callFrame);
    return [{ stack, values: [node.hitCount, (spent.get(node.id) ?? 0) * 1000] }];
  });
}

function heapSamples(
  node: HeapProfiler.SamplingHeapProfileNode,
  below: readonly Frame[],
): readonly Sample[] {
  const stack = [node.callFrame, ...below];
  const own = node.selfSize > 0 ? [{ stack, values: [node.selfSize] }] : [];
  return [...own, ...node.children.flatMap((child) => heapSamples(child, stack))];
}
