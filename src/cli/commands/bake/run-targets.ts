// Runs the builds of a bake: all at once on one builder, with one display.
import type { BuildEvent, Builder, BuildRequest } from "../../../api/index.ts";
import { type Call, runAll } from "../../../base/index.ts";
import { type OpenDisplay, showProgress, warningJson } from "../../progress/index.ts";
import type { FinishedBuild } from "../build/result.ts";
import {
  forBuilder,
  offerAgents,
  placed,
  requestOf,
  sayAfterwards,
  sessionOf,
  withFacts,
} from "../build/run-plan.ts";
import { createBuildRef } from "../builders/builder.ts";
import type { ClientConfig } from "../builders/client-config.ts";
import type { RunWorld } from "../command.ts";
import { shownLoaders } from "../images/image-loading.ts";
import { JoinedEvents } from "./events.ts";
import { driveOf } from "./linked.ts";
import { ofTarget, type PlannedTarget } from "./plan-targets.ts";

export interface TargetsRun {
  readonly planned: ReadonlyMap<string, PlannedTarget>;
  readonly builder: Builder;
  readonly opened: OpenDisplay;
  readonly config: ClientConfig;
  /** What the user is told when progress is no longer shown; grows meanwhile. */
  readonly later: readonly string[];
}

/** Builds every target that is not only linked; the first failure ends all. In the order of the targets. */
export async function runTargets(
  { planned, builder, opened, config, later }: TargetsRun,
  world: RunWorld,
): Promise<ReadonlyMap<string, FinishedBuild>> {
  const wanted = [...planned.values()].filter(({ target }) => !target.linked);
  const localsId = createBuildRef();
  const joined = new JoinedEvents(planned.size > 1);
  const finished = new Map<string, FinishedBuild>();
  const shown = showProgress(joined.events, opened.display);
  const runOne = async (one: PlannedTarget, call: Call) => {
    const { name } = one.target;
    try {
      finished.set(name, await build(one, call));
    } catch (error) {
      throw ofTarget(name, placed(error, one.plan), wanted.length > 1);
    }
  };
  const build = async (one: PlannedTarget, call: Call): Promise<FinishedBuild> => {
    const { name } = one.target;
    const { plan: own, loaders } = await withFacts(withLinks(one, planned), { ...world, call });
    const plan = await forBuilder(own, builder, world);
    await offerAgents(plan, world);
    const ref = createBuildRef();
    const warnings: unknown[] = [];
    const drive = driveOf(one, planned);
    const request: BuildRequest = {
      ...requestOf(plan, ref),
      ...(drive ? { drive } : {}),
    };
    const importing = `${planned.size > 1 ? `[${name}] ` : ""}importing to docker`;
    const show = (event: BuildEvent) => opened.display.event(event);
    const shownOnes = shownLoaders(loaders, importing, show, world.now);
    const lent = { credentials: config.credentials, loaders: shownOnes, localsId };
    const session = sessionOf(plan, lent, world);
    const running = builder.build(request, session, call);
    const told = joined.add(name, withWarnings(running.events, warnings));
    const [result] = await Promise.allSettled([running.result, told]);
    if (result.status === "rejected") throw result.reason;
    return { result: result.value, plan, ref, warnings };
  };
  const outcome = runAll(wanted, runOne, world.call).finally(() => joined.end());
  const [, ran] = await Promise.allSettled([shown, outcome]);
  const isCall = wanted.some(({ plan }) => plan.call !== undefined);
  sayAfterwards(
    opened,
    { failed: ran.status === "rejected", warn: !isCall, later: aboutTargets(later, wanted) },
    world,
  );
  if (ran.status === "rejected") throw ran.reason;
  await shown;
  return new Map(
    wanted.flatMap(({ target: { name } }) => {
      const one = finished.get(name);
      return one ? [[name, one] as const] : [];
    }),
  );
}

/** What is said of each build once for all of them, with the names of the targets that it is about. */
function aboutTargets(
  later: readonly string[],
  wanted: readonly PlannedTarget[],
): readonly string[] {
  const names = wanted.filter(({ plan }) => plan.undirected).map(({ target }) => target.name);
  const [only] = names;
  if (names.length === 1 && only === "default") return later;
  const whose = `No output specified for ${names.join(", ")} target(s) with`;
  return [...new Set(later)].map((text) => text.replace(/^No output specified with/, whose));
}

/** With what linked targets need of this side: their secrets, agents and permissions. */
function withLinks(
  one: PlannedTarget,
  all: ReadonlyMap<string, PlannedTarget>,
): PlannedTarget["plan"] {
  const linked = linkedTargets(one, all);
  if (linked.length === 0) return one.plan;
  const plans = [one, ...linked].map(({ plan }) => plan);
  return {
    ...one.plan,
    layouts: new Map(plans.flatMap(({ layouts }) => [...layouts])),
    secrets: plans.flatMap(({ secrets }) => secrets),
    agents: new Map(plans.toReversed().flatMap(({ agents }) => [...agents])),
    entitlements: [...new Set(plans.flatMap(({ entitlements }) => entitlements))],
  };
}

function linkedTargets(
  one: PlannedTarget,
  all: ReadonlyMap<string, PlannedTarget>,
): readonly PlannedTarget[] {
  const found = new Map<string, PlannedTarget>();
  const follow = ({ target: { fields } }: PlannedTarget) => {
    for (const source of Object.values(fields.contexts ?? {})) {
      const name = source?.startsWith("target:") ? source.slice("target:".length) : undefined;
      const other = name === undefined ? undefined : all.get(name);
      if (!other || found.has(other.target.name)) continue;
      found.set(other.target.name, other);
      follow(other);
    }
  };
  follow(one);
  return [...found.values()];
}

async function* withWarnings(
  events: ReturnType<Builder["build"]>["events"],
  warnings: unknown[],
): ReturnType<Builder["build"]>["events"] {
  for await (const event of events) {
    if (event.type === "warning") warnings.push(warningJson(event.warning, event.step));
    yield event;
  }
}
