// Runs `kiln build`: flags into a plan, a session to lend, progress to show, results to deliver.
import type {
  BuildEvent,
  Builder,
  BuildRequest,
  BuildResult,
  Explanation,
} from "../../../api/index.ts";
import { AsyncStack, isKilnError, KilnError } from "../../../base/index.ts";
import type { Flags } from "../../flags/index.ts";
import {
  explanationJson,
  explanationLines,
  failureLines,
  loadPlanText,
  type OpenDisplay,
  openDisplay,
  showProgress,
  warningBlock,
  warningJson,
  warningLines,
} from "../../progress/index.ts";
import { createBuildRef, openBuilder } from "../builders/builder.ts";
import { openClientConfig } from "../builders/client-config.ts";
import { type RunWorld, sayWarning } from "../command.ts";
import { type ImageLoader, prepareLoads } from "../images/image-loading.ts";
import { lendAwsKeys } from "./caches.ts";
import { callAnswer } from "./call.ts";
import type { ExplainMode } from "./choices.ts";
import { type BuildFlags, ignoredFlags } from "./flags.ts";
import { gitFacts } from "./git-facts.ts";
import { createLocalSession } from "./local-session.ts";
import { type BuildPlan, planBuild } from "./plan.ts";
import { reportResult } from "./result.ts";
import { wantedPolicies } from "./source-policies.ts";
import { checkAgents } from "./ssh-agents.ts";
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
    sayWarning(world, `--${name} has no effect and is ignored`);
  const config = await openClientConfig(world);
  const stdin = await readStdin(context, flags.values.file, stack, world);
  const planned = planBuild(flags, context, {
    env: world.env,
    cwd: world.cwd,
    stdoutIsTerminal: world.stdout.isTerminal,
    proxyArgs: config.proxyArgs(),
    stdin,
  });
  const facts = await wantedFacts(planned, world);
  const { plan: own, loaders } = await prepareLoads(
    { ...planned, attrs: { ...facts, ...planned.attrs } },
    world,
  );
  const limits = own.jobs === undefined ? {} : { jobs: own.jobs };
  const builder = stack.use(await openBuilder(world, limits));
  const plan = "runImage" in builder ? own : await withAwsKeys(own, world);
  const opened = await openDisplay(plan.progress, world.stderr, world);
  const ref = createBuildRef();
  const warnings: unknown[] = [];
  const policies = wantedPolicies(flags.values.policy, world);
  const lent = { credentials: config.credentials, loaders, warnings, policies };
  const verification =
    plan.verify && !plan.call && !plan.forecast
      ? await prepareVerification(plan, { builder, limits }, world, stack)
      : undefined;
  const result = await runPlan(verification?.first ?? plan, ref, builder, opened, world, lent);
  if (verification) await buildAgain(verification, world, lent);
  if (plan.call) {
    const { text, exitCode } = callAnswer(plan.call, result.exporterResponse);
    world.stdout.write(text);
    return exitCode;
  }
  if (plan.forecast) return await sayPlan(result, plan.forecast, world);
  await reportResult({ result, plan, ref, warnings }, world);
  return 0;
}

async function withAwsKeys(plan: BuildPlan, world: RunWorld): Promise<BuildPlan> {
  return {
    ...plan,
    cacheImports: await lendAwsKeys(plan.cacheImports, world),
    cacheExports: await lendAwsKeys(plan.cacheExports, world),
  };
}

/** The second build of `--verify`, with a display of its own. */
async function buildAgain(
  { second, openSecond, compare }: Verification,
  world: RunWorld,
  lent: Lent,
): Promise<void> {
  world.stderr.write("building again to compare\n");
  const builder = await openSecond();
  const opened = await openDisplay(second.progress, world.stderr, world);
  const own = { ...lent, loaders: new Map(), warnings: [] };
  await runPlan(second, createBuildRef(), builder, opened, world, own);
  await compare();
}

interface Lent {
  readonly credentials: Parameters<typeof createLocalSession>[0]["credentials"];
  readonly loaders: ReadonlyMap<number, ImageLoader>;
  /** Where warnings go besides the display. */
  readonly warnings: unknown[];
  /** What the sources must obey. */
  readonly policies: ReturnType<typeof wantedPolicies>;
}

/** What version control says, where somebody will read it: provenance, the metadata file, labels. */
async function wantedFacts(plan: BuildPlan, world: RunWorld): Promise<BuildPlan["attrs"]> {
  const labels = world.env["BUILDX_GIT_LABELS"];
  const read = plan.metadataFile !== undefined || plan.attrs["attest:provenance"] !== undefined;
  if (!read && !labels) return {};
  const filename = plan.attrs["filename"] ?? "Dockerfile";
  return await gitFacts({ directories: plan.directories, filename, env: world.env }, world.call);
}

async function runPlan(
  plan: BuildPlan,
  ref: string,
  builder: Builder,
  opened: OpenDisplay,
  world: RunWorld,
  { credentials, loaders, warnings, policies }: Lent,
): Promise<BuildResult> {
  await offerAgents(plan, world);
  const request: BuildRequest = {
    ref,
    frontend: "dockerfile.v0",
    attrs: plan.attrs,
    exporters: plan.exporters,
    cacheImports: plan.cacheImports,
    cacheExports: plan.cacheExports,
    inputs: plan.inputs,
    entitlements: plan.entitlements,
    resources: plan.resources,
    ...policies,
    ...(plan.keepGoing ? { keepGoing: true } : {}),
    ...(plan.explain ? { explain: true } : {}),
    ...(plan.forecast ? { plan: true } : {}),
    ...(plan.checkArch ? { checkArch: plan.checkArch } : {}),
    ...(plan.expectCached ? { expectCached: true } : {}),
  };
  const session = createLocalSession({
    directories: plan.directories,
    layouts: plan.layouts,
    uploads: plan.uploads,
    secrets: plan.secrets,
    agents: plan.agents,
    receivers: plan.receivers,
    loaders,
    env: world.env,
    stdout: world.stdout,
    credentials,
  });
  const build = builder.build(request, session, world.call);
  const explanations: Explanation[] = [];
  const events = setAside(build.events, { explanations, warnings });
  // Both are waited for: a failure must not leave the picture half drawn.
  const [shown, result] = await Promise.allSettled([
    showProgress(events, opened.display),
    build.result,
  ]);
  sayAfterwards(
    opened,
    { failed: result.status === "rejected", warn: !plan.call && !plan.forecast },
    world,
  );
  if (plan.explain) sayExplanations(explanations, plan.explain, world);
  if (result.status === "rejected") {
    const enterable = "runImage" in builder && world.openBuilder === undefined;
    throw placed(enterable ? withDebugHint(result.reason) : result.reason, plan);
  }
  if (shown.status === "rejected") throw shown.reason;
  return result.value;
}

/** An agent that is dead, or offers nothing, is better known before the build than in its last step. */
async function offerAgents({ agents, call }: BuildPlan, world: RunWorld): Promise<void> {
  if (agents.size === 0 || call) return;
  for (const [id, keys] of await checkAgents(agents, world.call)) {
    if (keys.length === 0) sayWarning(world, `the SSH agent ${id} offers no key: see ssh-add`);
    else if (world.globals.debug) world.stderr.write(`SSH agent ${id} offers ${keys.join(", ")}\n`);
  }
}

/** Lines of a failed step shown where they have been shown already, and where they have not. */
const failureTail = { plain: 20, other: 200 };

function sayAfterwards(
  { mode, model }: OpenDisplay,
  { failed, warn }: { readonly failed: boolean; readonly warn: boolean },
  world: RunWorld,
): void {
  if (!model || mode === "none" || mode === "rawjson") return;
  const { style } = world.stderr;
  const lines: string[] = [];
  if (failed)
    lines.push(
      ...failureLines(model, mode === "plain" ? failureTail.plain : failureTail.other, style),
    );
  else if (warn && mode !== "quiet") {
    lines.push(...warningLines(model.warnings, style));
    if (world.globals.debug)
      lines.push(...model.warnings.flatMap((warning) => warningBlock(warning, style)));
  }
  world.stderr.write(lines.map((line) => `${line}\n`).join(""));
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

/** Mistakes in the Dockerfile are shown under the name the user gave it. */
function placed(error: unknown, plan: BuildPlan): unknown {
  if (!isKilnError(error) || error.at === undefined) return error;
  const { context, filename = "Dockerfile" } = plan.attrs;
  // A context that is nothing but a Dockerfile is called so by the builder.
  const whole = context !== undefined && error.at.file === "context" ? context : undefined;
  if (whole === undefined && error.at.file !== filename) return error;
  const file = whole ?? plan.dockerfile;
  const rename = (one: KilnError): KilnError =>
    new KilnError(one.code, one.message, {
      cause: one.cause,
      details: one.details,
      others: one.others.map(rename),
      ...(one.hint === undefined ? {} : { hint: one.hint }),
      ...(one.at === undefined ? {} : { at: { ...one.at, file } }),
    });
  return rename(error);
}
