// Runs `kiln build`: flags into a plan, a session to lend, progress to show, results to deliver.
import type { BuildEvent, Builder, BuildResult, Explanation } from "../../../api/index.ts";
import { AsyncStack, isKilnError, KilnError } from "../../../base/index.ts";
import type { Flags } from "../../flags/index.ts";
import {
  explanationJson,
  explanationLines,
  loadPlanText,
  type OpenDisplay,
  showProgress,
  warningJson,
} from "../../progress/index.ts";
import { createBuildRef, openBuilder } from "../builders/builder.ts";
import { openClientConfig } from "../builders/client-config.ts";
import { type RunWorld, sayWarning, standsInForBuildx } from "../command.ts";
import { type ImageLoader, shownLoaders } from "../images/image-loading.ts";
import { callAnswer } from "./call.ts";
import type { ExplainMode } from "./choices.ts";
import { type BuildFlags, buildxRemovedFlags, ignoredFlags } from "./flags.ts";
import type { createLocalSession } from "./local-session.ts";
import { originOfBuild } from "./origin.ts";
import { type BuildPlan, planBuild } from "./plan.ts";
import { reportResult } from "./result.ts";
import {
  forBuilder,
  offerAgents,
  openBuildDisplay,
  placed,
  requestOf,
  sayAfterwards,
  sessionOf,
  withFacts,
} from "./run-plan.ts";
import { wantedPolicies } from "./source-policies.ts";
import { readStdin } from "./stdin.ts";
import { prepareVerification, type Verification } from "./verify.ts";

/** One build from its flags to its exit code. */
export async function runBuild(
  flags: Flags<BuildFlags>,
  [context = ""]: readonly string[],
  world: RunWorld,
): Promise<number> {
  await using stack = new AsyncStack();
  for (const name of ignoredFlags.filter((one) => flags.given(one)))
    sayWarning(
      world,
      standsInForBuildx(world)
        ? buildxRemovedFlags[name]
        : `--${name} has no effect and is ignored`,
    );
  const config = await openClientConfig(world);
  const stdin = await readStdin(context, flags.values.file, stack, world);
  const planned = planBuild(flags, context, {
    env: world.env,
    cwd: world.cwd,
    stdoutIsTerminal: world.stdout.isTerminal,
    proxyArgs: config.proxyArgs(),
    stdin,
  });
  const { plan: own, loaders } = await withFacts(planned, world);
  const limits = own.jobs === undefined ? {} : { jobs: own.jobs };
  const originOf = () => originOfBuild(context, flags.values.file, world.cwd);
  const later: string[] = [];
  const told = { originOf, sayLater: (text: string) => void later.push(text), ...world };
  const builder = stack.use(await openBuilder(told, limits));
  const plan = await forBuilder(own, builder, world);
  const opened = await openBuildDisplay(plan.progress, world);
  const ref = createBuildRef();
  const warnings: unknown[] = [];
  const policies = await wantedPolicies(flags.values.policy, world);
  const lent = { credentials: config.credentials, loaders, warnings, policies, later };
  const verification =
    plan.verify && !plan.call && !plan.forecast
      ? await prepareVerification(plan, { builder, limits }, world, stack)
      : undefined;
  const result = await runPlan(verification?.first ?? plan, ref, builder, opened, world, lent);
  if (verification) await buildAgain(verification, world, lent);
  if (plan.call) {
    const { text, failure, exitCode } = callAnswer(plan.call, result.exporterResponse);
    world.stdout.write(text);
    world.stderr.write(failure);
    return exitCode;
  }
  if (plan.forecast) return await sayPlan(result, plan.forecast, world);
  await reportResult({ result, plan, ref, warnings }, world);
  return 0;
}

/** The second build of `--verify`, with a display of its own. */
async function buildAgain(
  { second, openSecond, compare }: Verification,
  world: RunWorld,
  lent: Lent,
): Promise<void> {
  world.stderr.write("building again to compare\n");
  const builder = await openSecond();
  const opened = await openBuildDisplay(second.progress, world);
  const own = { ...lent, loaders: new Map(), warnings: [], later: [] };
  await runPlan(second, createBuildRef(), builder, opened, world, own);
  await compare();
}

interface Lent {
  readonly credentials: Parameters<typeof createLocalSession>[0]["credentials"];
  readonly loaders: ReadonlyMap<number, ImageLoader>;
  /** Where warnings go besides the display. */
  readonly warnings: unknown[];
  /** What the sources must obey. */
  readonly policies: Awaited<ReturnType<typeof wantedPolicies>>;
  /** What the user is told when progress is no longer shown. */
  readonly later: readonly string[];
}

async function runPlan(
  plan: BuildPlan,
  ref: string,
  builder: Builder,
  opened: OpenDisplay,
  world: RunWorld,
  { credentials, loaders, warnings, policies, later }: Lent,
): Promise<BuildResult> {
  await offerAgents(plan, world);
  const request = { ...requestOf(plan, ref), ...policies };
  const show = (event: BuildEvent) => opened.display.event(event);
  const shown = shownLoaders(loaders, "importing to docker", show, world.now);
  const session = sessionOf(plan, { credentials, loaders: shown }, world);
  const build = builder.build(request, session, world.call);
  const explanations: Explanation[] = [];
  const events = setAside(build.events, { explanations, warnings });
  // Both are waited for: a failure must not leave the picture half drawn.
  const [drawn, result] = await Promise.allSettled([
    showProgress(events, opened.display),
    build.result,
  ]);
  sayAfterwards(
    opened,
    { failed: result.status === "rejected", warn: !plan.call && !plan.forecast, later },
    world,
  );
  if (plan.explain) sayExplanations(explanations, plan.explain, world);
  if (result.status === "rejected") {
    const enterable = "runImage" in builder && world.openBuilder === undefined;
    throw placed(enterable ? withDebugHint(result.reason) : result.reason, plan);
  }
  if (drawn.status === "rejected") throw drawn.reason;
  return result.value;
}

/** The same events; explanations and warnings are also put aside. */
async function* setAside(
  events: AsyncIterable<BuildEvent>,
  { explanations, warnings }: { explanations: Explanation[]; warnings: unknown[] },
): AsyncIterable<BuildEvent> {
  for await (const event of events) {
    if (event.type === "explanation") explanations.push(event.explanation);
    if (event.type === "warning") warnings.push(warningJson(event.warning, event.step));
    yield event;
  }
}

function sayExplanations(
  explanations: readonly Explanation[],
  mode: ExplainMode,
  world: RunWorld,
): void {
  if (mode === "json") world.stdout.write(explanationJson(explanations));
  else {
    const lines = explanationLines(explanations, world.stderr.style);
    world.stderr.write(lines.map((line) => `${line}\n`).join(""));
  }
}

/** Prints what would be done; 1 where the build would fail. */
async function sayPlan({ plan }: BuildResult, form: ExplainMode, world: RunWorld): Promise<number> {
  if (!plan) throw new KilnError("UNSUPPORTED", "this builder does not tell what it would do");
  const { stdout } = world;
  const { planFails, planJson, planLines } = await loadPlanText();
  if (form === "json") stdout.write(planJson(plan));
  else {
    const lines = planLines(plan, stdout.style, stdout.columns);
    // Progress went to the same terminal.
    if (stdout.isTerminal) stdout.write("\n");
    stdout.write(lines.map((line) => `${line}\n`).join(""));
  }
  return planFails(plan) ? 1 : 0;
}

/** A step that failed without a word of advice can at least be looked into. */
function withDebugHint(error: unknown): unknown {
  if (!isKilnError(error, "PROCESS_FAILED") || error.hint !== undefined) return error;
  return new KilnError(error.code, error.message, {
    cause: error.cause,
    details: error.details,
    others: error.others,
    hint: "Enter the step where it failed: run the same with 'kiln debug build'.",
    ...(error.at === undefined ? {} : { at: error.at }),
  });
}
