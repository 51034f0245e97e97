// What every build needs between its plan and its builder: facts, keys, a request, a session to lend, and words afterwards.
import type { Builder, BuildRequest, Session } from "../../../api/index.ts";
import { isKilnError, KilnError, parseBool } from "../../../base/index.ts";
import {
  failureLines,
  type OpenDisplay,
  openDisplay,
  type ProgressMode,
  warningBlock,
  warningLines,
} from "../../progress/index.ts";
import { builderHeading, loadsByDefault } from "../builders/builder.ts";
import { type RunWorld, sayWarning, standsInForBuildx } from "../command.ts";
import { type ImageLoader, type LoadingPlan, prepareLoads } from "../images/image-loading.ts";
import { buildxWarningLines } from "../plugin/buildx-warnings.ts";
import { lendAwsKeys } from "./caches.ts";
import { gitFacts } from "./git-facts.ts";
import { createLocalSession } from "./local-session.ts";
import type { BuildPlan } from "./plan.ts";
import { checkAgents } from "./ssh-agents.ts";

/** The plan with what version control says, and with who loads its images. */
export async function withFacts(planned: BuildPlan, world: RunWorld): Promise<LoadingPlan> {
  const facts = await wantedFacts(planned, world);
  const plan = { ...planned, attrs: { ...facts, ...planned.attrs } };
  return await prepareLoads(await withDefaultLoad(plan, world), world);
}

/** A builder may have been made so that what nobody directs elsewhere is loaded into docker. */
async function withDefaultLoad(plan: BuildPlan, world: RunWorld): Promise<BuildPlan> {
  const off = parseBool(world.env["BUILDX_NO_DEFAULT_LOAD"] ?? "") ?? false;
  if (!plan.undirected || off || !(await loadsByDefault(world))) return plan;
  return {
    ...plan,
    exporters: plan.exporters.map(({ attrs }) => ({ type: "docker", attrs })),
    receivers: plan.exporters.map(() => ({
      type: "docker",
      dest: "-",
      unpack: false,
      replace: false,
      load: {},
    })),
  };
}

/** The plan as the builder takes it: one elsewhere has no keys of this machine. */
export async function forBuilder(
  plan: BuildPlan,
  builder: Builder,
  world: RunWorld,
): Promise<BuildPlan> {
  return "runImage" in builder ? plan : await withAwsKeys(withoutLimits(plan, world), world);
}

/** docker build takes limits of old, and BuildKit has no word for them: in its place that is a warning. */
function withoutLimits(plan: BuildPlan, world: RunWorld): BuildPlan {
  if (Object.keys(plan.resources).length === 0 || !standsInForBuildx(world)) return plan;
  sayWarning(world, "this builder knows no limits of memory and processor time: left out");
  return { ...plan, resources: {} };
}

async function withAwsKeys(plan: BuildPlan, world: RunWorld): Promise<BuildPlan> {
  return {
    ...plan,
    cacheImports: await lendAwsKeys(plan.cacheImports, world),
    cacheExports: await lendAwsKeys(plan.cacheExports, world),
  };
}

/** What version control says, where somebody will read it: provenance, the metadata file, labels. */
async function wantedFacts(plan: BuildPlan, world: RunWorld): Promise<BuildPlan["attrs"]> {
  const labels = world.env["BUILDX_GIT_LABELS"];
  const read = plan.metadataFile !== undefined || plan.attrs["attest:provenance"] !== undefined;
  if (!read && !labels) return {};
  const filename = plan.attrs["filename"] ?? "Dockerfile";
  return await gitFacts({ directories: plan.directories, filename, env: world.env }, world.call);
}

/** What is asked of the builder. */
export function requestOf(plan: BuildPlan, ref: string): BuildRequest {
  return {
    ref,
    frontend: "dockerfile.v0",
    attrs: plan.attrs,
    exporters: plan.exporters,
    cacheImports: plan.cacheImports,
    cacheExports: plan.cacheExports,
    inputs: plan.inputs,
    entitlements: plan.entitlements,
    resources: plan.resources,
    ...(plan.keepGoing ? { keepGoing: true } : {}),
    ...(plan.proxyNetwork ? { proxyNetwork: true } : {}),
    ...(plan.explain ? { explain: true } : {}),
    ...(plan.forecast ? { plan: true } : {}),
    ...(plan.checkArch ? { checkArch: plan.checkArch } : {}),
    ...(plan.expectCached ? { expectCached: true } : {}),
  };
}

/** Who answers what the build asks of this side besides what its plan names. */
export interface Lenders {
  readonly credentials: Parameters<typeof createLocalSession>[0]["credentials"];
  readonly loaders: ReadonlyMap<number, ImageLoader>;
  /** Of builds that run together and are lent the same directories. */
  readonly localsId?: string;
}

/** What this side lends while the build runs. */
export function sessionOf(
  plan: BuildPlan,
  { credentials, loaders, localsId }: Lenders,
  world: RunWorld,
): Session {
  return createLocalSession({
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
    ...(localsId === undefined ? {} : { localsId }),
  });
}

/** An agent that is dead, or offers nothing, is better known before the build than in its last step. */
export async function offerAgents({ agents, call }: BuildPlan, world: RunWorld): Promise<void> {
  if (agents.size === 0 || call) return;
  for (const [id, keys] of await checkAgents(agents, world.call)) {
    if (keys.length === 0) sayWarning(world, `the SSH agent ${id} offers no key: see ssh-add`);
    else if (world.globals.debug) world.stderr.write(`SSH agent ${id} offers ${keys.join(", ")}\n`);
  }
}

/** Progress under the name of the builder. */
export async function openBuildDisplay(mode: ProgressMode, world: RunWorld): Promise<OpenDisplay> {
  if (mode === "tty" && !world.stderr.isTerminal && standsInForBuildx(world))
    throw new KilnError("FLAG_INVALID", "failed to get console: provided file is not a console");
  const heading = await builderHeading(world);
  return await openDisplay(mode, world.stderr, {
    ...world,
    ...(heading === undefined ? {} : { heading }),
  });
}

/** Lines of a failed step shown where they have been shown already, and where they have not. */
const failureTail = { plain: 20, other: 200 };

/** What was kept for now, and failures once more with what they said, or warnings, as far as the display leaves them to the end. */
export function sayAfterwards(
  { mode, model }: OpenDisplay,
  {
    failed,
    warn,
    later,
  }: { readonly failed: boolean; readonly warn: boolean; readonly later: readonly string[] },
  world: RunWorld,
): void {
  for (const text of later) sayWarning(world, text);
  if (!model || mode === "none" || mode === "rawjson") return;
  const { style } = world.stderr;
  const silent = standsInForBuildx(world);
  const lines: string[] = [];
  const most = mode === "plain" ? failureTail.plain : failureTail.other;
  if (silent) {
    if (mode !== "quiet") lines.push(...failureLines(model, most, style, { silent }));
    if (warn && mode !== "quiet") lines.push(...buildxWarningLines(model.warnings, world));
  } else if (failed) lines.push(...failureLines(model, most, style));
  else if (warn && mode !== "quiet") {
    lines.push(...warningLines(model.warnings, style));
    if (world.globals.debug)
      lines.push(...model.warnings.flatMap((warning) => warningBlock(warning, style)));
  }
  world.stderr.write(lines.map((line) => `${line}\n`).join(""));
}

/** Mistakes in the Dockerfile are shown under the name the user gave it. */
export function placed(error: unknown, plan: BuildPlan): unknown {
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
