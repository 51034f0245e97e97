// From definitions to a plan: the steps of every stage and target, how their programs run, and which are cached.
import type {
  PlannedImage,
  PlannedStage,
  PlannedStep,
  PlanReport,
  StageWay,
} from "../../api/index.ts";
import type { Call, Digest } from "../../base/index.ts";
import { isKilnError } from "../../base/index.ts";
import type { LlbGraph, LlbVertex } from "../../formats/llb/index.ts";
import { formatPlatform, type Platform } from "../../formats/oci/index.ts";
import type { Executor } from "../executor/index.ts";

/** One target of a build, with what is known of its steps. */
export interface PlanTarget {
  readonly platform: Platform;
  readonly graph: LlbGraph | undefined;
  /** By digest; steps that are not there have to run. */
  readonly cached: ReadonlyMap<Digest, boolean>;
}

export interface PlanParts {
  readonly native: Platform;
  readonly executor: () => Promise<Executor>;
  readonly images: readonly PlannedImage[];
}

/** Everything that a build of `targets` would do. Runs nothing. */
export async function planReport(
  targets: readonly PlanTarget[],
  { native, executor, images }: PlanParts,
  call: Call,
): Promise<PlanReport> {
  const ways = new Map<string, Promise<Way>>();
  const wayOf = (platform: Platform): Promise<Way> => {
    const name = formatPlatform(platform);
    const found = ways.get(name) ?? findWay(platform, executor, call);
    ways.set(name, found);
    return found;
  };
  const stages: PlannedStage[] = [];
  for (const stage of stagesOf(targets)) stages.push(await plannedStage(stage, native, wayOf));
  return {
    buildPlatform: formatPlatform(native),
    targets: targets.map(({ platform }) => formatPlatform(platform)),
    stages,
    images,
  };
}

/** How programs of one platform run on this machine. */
type Way =
  | { readonly kind: "native" }
  | { readonly kind: "emulated"; readonly emulator?: string }
  | {
      readonly kind: "impossible";
      readonly problem: { readonly message: string; readonly hint?: string };
    };

async function findWay(
  platform: Platform,
  executor: () => Promise<Executor>,
  call: Call,
): Promise<Way> {
  try {
    const emulator = await (await executor()).emulatorOf(platform, call);
    if (emulator === undefined) return { kind: "native" };
    return { kind: "emulated", emulator };
  } catch (error) {
    if (!isKilnError(error)) throw error;
    const { message, hint } = error;
    return { kind: "impossible", problem: { message, ...(hint === undefined ? {} : { hint }) } };
  }
}

interface Stage {
  readonly name: string;
  readonly targets: string[];
  vertices: readonly LlbVertex[];
  readonly cached: ReadonlyMap<Digest, boolean>;
}

/** Stages in the order in which they are built; targets for which one is the same work are together. */
function stagesOf(targets: readonly PlanTarget[]): readonly Stage[] {
  /** How far into a build each stage ends. */
  const ends = new Map<string, number>();
  const found = new Map<string, Stage>();
  for (const { platform, graph, cached } of targets) {
    const byName = new Map<string, LlbVertex[]>();
    for (const [at, vertex] of graph?.vertices.entries() ?? []) {
      const name = stageOf(vertex.name);
      if (name === undefined) continue;
      byName.set(name, [...(byName.get(name) ?? []), vertex]);
      ends.set(name, Math.max(ends.get(name) ?? 0, at));
    }
    for (const [name, vertices] of byName) {
      // The last stands on all others. An image that several stages begin with has the name of one of them only.
      const key = `${name} ${vertices.at(-1)?.digest}`;
      const target = formatPlatform(platform);
      const same = found.get(key);
      if (same === undefined) found.set(key, { name, targets: [target], vertices, cached });
      else {
        same.targets.push(target);
        if (vertices.length > same.vertices.length) same.vertices = vertices;
      }
    }
  }
  const byEnd = [...ends].toSorted(([, a], [, b]) => a - b);
  const all = [...found.values()];
  return byEnd.flatMap(([name]) => all.filter((stage) => stage.name === name));
}

/** `build` of `[linux/amd64->arm64 build 2/5] RUN make`; undefined for what belongs to no stage, such as contexts. */
export function stageOf(name: string): string | undefined {
  const parts = /^\[(?:[a-z]+\/\S+ )?(.*?) *\d+\/\d+\] /.exec(name);
  return parts?.[1]?.trim();
}

async function plannedStage(
  stage: Stage,
  native: Platform,
  wayOf: (platform: Platform) => Promise<Way>,
): Promise<PlannedStage> {
  const { name, targets, vertices, cached } = stage;
  const runs = vertices.find(({ op }) => op.kind === "exec");
  const platform = platformOf(runs ?? vertices.at(-1)) ?? native;
  const found = runs && (await wayOf(platform));
  const base = { name, targets, platform: formatPlatform(platform) };
  const steps = vertices.map(
    (vertex): PlannedStep => ({
      step: vertex.digest,
      name: vertex.name,
      kind: vertex.op.kind,
      cached: cached.get(vertex.digest) ?? false,
    }),
  );
  if (found === undefined) return { ...base, way: "files", steps };
  if (found.kind === "impossible")
    return { ...base, way: "impossible", problem: found.problem, steps };
  if (found.kind === "emulated") {
    const { emulator } = found;
    return { ...base, way: "emulated", ...(emulator === undefined ? {} : { emulator }), steps };
  }
  return { ...base, way: nativeWay(targets, base.platform), steps };
}

function nativeWay(targets: readonly string[], platform: string): StageWay {
  if (targets.length > 1) return "shared";
  return targets[0] === platform ? "native" : "cross";
}

/** Its own platform, else that of what it is built on. */
function platformOf(vertex: LlbVertex | undefined): Platform | undefined {
  for (let one = vertex; one; one = one.inputs[0]?.vertex) if (one.platform) return one.platform;
  return undefined;
}
