// One build from request to response: frontend, checks, solving, export.
import type {
  Build,
  BuildEvent,
  BuildRequest,
  BuildResult,
  ExportRequest,
  FrontendResult,
  Session,
} from "../../api/index.ts";
import {
  AsyncStack,
  actingFor,
  type Call,
  EventQueue,
  KilnError,
  Once,
  runAll,
} from "../../base/index.ts";
import type { LlbGraph } from "../../formats/llb/index.ts";
import { formatPlatform, type Platform } from "../../formats/oci/index.ts";
import { parseAttestOptions } from "../attest/index.ts";
import { BuildNotes, rememberedFetches } from "./attest-result.ts";
import { attestedResult, type Solved } from "./attested-result.ts";
import { exportCaches, findCaches, importCaches } from "./caches.ts";
import { checkArchitecture } from "./check-arch.ts";
import { containersOf, describe, nesting, proxyOf, rulesOf, sharedBy } from "./describe.ts";
import { startEarlyPacking } from "./early-packing.ts";
import { readAllowed } from "./entitlements.ts";
import { openJob } from "./explained-job.ts";
import { checkExports, exportResult, findExporters, type WantedExport } from "./export.ts";
import { runPlatforms } from "./failures.ts";
import { type BuildParts, grantedTo, type RunningParts } from "./parts.ts";
import { planBuild } from "./plan-build.ts";
import { SecretMask } from "./secret-mask.ts";
import { StepLogs } from "./step-logs.ts";

/** Starts the build at once; cancelling `call` stops everything it began. `hear` gets every event before the reader does. */
export function startBuild(
  request: BuildRequest,
  session: Session,
  parts: BuildParts,
  call: Call,
  hear?: (event: BuildEvent) => void,
): Build {
  const events = new EventQueue<BuildEvent>();
  const mask = new SecretMask();
  const logs = new StepLogs(parts.logs, request.ref);
  const tell = (event: BuildEvent) => {
    const told = logs.event(event);
    hear?.(told);
    events.push(told);
  };
  const emit = (event: BuildEvent) => mask.event(event).forEach(tell);
  const watched = mask.watch(session);
  const running = { ...parts, emit, masked: (text: string) => mask.text(text) };
  const result = actingFor(watched, () => runBuild(request, watched, running, call))
    .catch((error: unknown) => {
      throw mask.error(error);
    })
    .finally(() => {
      mask.end().forEach(tell);
      logs[Symbol.dispose]();
      events.end();
    });
  // Whoever awaits `result` sees the failure; who only reads events must not crash the process.
  result.catch(() => {});
  return { events, result };
}

async function runBuild(
  request: BuildRequest,
  session: Session,
  lent: RunningParts,
  call: Call,
): Promise<BuildResult> {
  const wanted = findExporters(request.exporters, lent.exporters);
  const granted = grantedTo(request, lent);
  const caches = findCaches(request, lent.caches);
  const rules = rulesOf(request, session, lent);
  if (request.plan) return await planBuild(request, session, lent, call);
  const proxy = proxyOf(request, rules, lent);
  const parts = proxy ? { ...lent, proxy } : lent;
  const attest = parseAttestOptions(request.attrs);
  await using job = openJob(request, session, parts);
  const memory = proxy && rememberedFetches(job, parts.history, parts.masked);
  const notes = new BuildNotes(parts.now(), parts.pins, memory);
  await using beside = containersOf(session, granted, parts);
  await using imported = new AsyncStack();
  imported.use(await importCaches(caches, session, parts, call));
  const importMore = async (more: readonly ExportRequest[], importing: Call) => {
    const found = findCaches({ attrs: {}, cacheImports: more }, parts.caches);
    imported.use(await importCaches(found, session, parts, importing));
  };
  const describing = { ...parts, granted, notes, rules, importCaches: importMore, beside };
  // Whichever fails first stops the other before the job is gone.
  const described = await runBeside(
    (c) => describe(request, session, job, describing, c),
    (c) => checkExports(wanted, session, c),
    call,
  );
  const graphs = described.platforms.map((one) =>
    one.definition ? readAllowed(one.definition, granted) : undefined,
  );
  const build = nesting(sharedBy(request, session, parts, notes), job, granted, rules);
  const beforeWork = onceDone((c) => checkPlatforms(graphs, parts, c));
  const sourceDateEpoch = epochOf(request, described);
  await using early = startEarlyPacking(graphs, wanted, { session, sourceDateEpoch }, call);
  const { afterWork } = early;
  const snapshots = await runPlatforms(
    graphs,
    (graph, c) => job.solve(graph, { ...build, beforeWork, afterWork }, c),
    request.keepGoing ?? false,
    call,
  );
  if (request.expectCached) job.expectCached();
  const solved = { request, described, graphs, snapshots, sourceDateEpoch, session };
  await checkProcessors(solved, parts, call);
  const outcome = async (c: Call) => ({
    targets: await Promise.all(graphs.map((graph) => job.names(graph, build, c))),
    snapshots,
    epoch: sourceDateEpoch,
    session,
  });
  const { result, provenance } = await attestedResult(
    solved,
    attest,
    {
      ...parts,
      notes,
      solve: (definition, c) => job.solve(readAllowed(definition, granted), build, c),
      ...(caches.inline ? { inlineOutcome: () => outcome(call) } : {}),
    },
    call,
  );
  early.stop();
  const chosen = await chooseExporters(solved, parts, call);
  const exported = await exportResult([...wanted, ...chosen], result, session, parts, call);
  const cached =
    caches.exports.length === 0 ? {} : await exportCaches(caches, await outcome(call), parts, call);
  const exporterResponse = { ...described.metadata, ...exported.attrs, ...cached };
  if (request.sessionExporters) await session.finalizeExport?.(exporterResponse, call);
  return {
    exporterResponse,
    ...(exported.images?.length ? { images: exported.images } : {}),
    ...(exported.descriptor ? { descriptor: exported.descriptor } : {}),
    provenance,
  };
}

/** Further exporters, which the asking side chooses now that it can be told what there is. */
async function chooseExporters(
  { request, described, snapshots, session }: Solved,
  { exporters }: BuildParts,
  call: Call,
): Promise<readonly WantedExport[]> {
  if (!request.sessionExporters) return [];
  const refs = snapshots.flatMap((one) => one?.layers.at(-1)?.id ?? []);
  const found = (await session.findExporters?.(described, refs, call)) ?? [];
  const chosen = findExporters(found, exporters);
  await checkExports(chosen, session, call);
  return chosen;
}

/** `--check-arch`: of what the build made, before anybody gets it. */
async function checkProcessors(
  { request: { checkArch }, described, snapshots }: Solved,
  parts: BuildParts & Pick<RunningParts, "emit">,
  call: Call,
): Promise<void> {
  if (!checkArch) return;
  const results = described.platforms.map(({ platform }, index) => ({
    platform,
    snapshot: snapshots[index],
  }));
  await runAll(results, (one, c) => checkArchitecture(checkArch, one, parts, c), call);
}

/** Before the first step runs: can this machine run the programs of every platform that a RUN needs? */
async function checkPlatforms(
  graphs: readonly (LlbGraph | undefined)[],
  parts: BuildParts,
  call: Call,
): Promise<void> {
  const needed = new Map<string, Platform>();
  for (const { op, platform } of graphs.flatMap((graph) => graph?.vertices ?? [])) {
    if (op.kind === "exec" && platform) needed.set(formatPlatform(platform), platform);
  }
  if (needed.size === 0) return;
  const executor = await parts.executor();
  await runAll(
    [...needed.values()],
    (platform, checking) => executor.checkPlatform(platform, checking),
    call,
  );
}

/** Seconds since 1970 that SOURCE_DATE_EPOCH asks for. */
function epochOf({ attrs, frontend }: BuildRequest, described: FrontendResult): number | undefined {
  const decided = described.platforms.find((one) => one.epoch)?.epoch;
  if (decided) return Math.floor(decided.getTime() / 1000);
  const text = attrs["build-arg:SOURCE_DATE_EPOCH"];
  if (text === undefined || text === "") return undefined;
  if (/^\d{1,12}$/.test(text)) return Number(text);
  // The frontend has judged the value: it names a source that tells no time, such as a directory.
  if (frontend !== undefined) return undefined;
  throw new KilnError(
    "FLAG_INVALID",
    `SOURCE_DATE_EPOCH must be a number of seconds, not ${JSON.stringify(text)}`,
  );
}

/** Shared while it runs, and not done again once it has succeeded: every step of a build asks. */
function onceDone(work: (call: Call) => Promise<void>): (call: Call) => Promise<void> {
  const running = new Once<"work", void>();
  let done = false;
  return async (call) => {
    if (done) return;
    await running.run("work", work, call);
    done = true;
  };
}

/** The result of `work`, once `check` has passed too; the failure of one cancels the other, and both have ended. */
async function runBeside<T>(
  work: (call: Call) => Promise<T>,
  check: (call: Call) => Promise<void>,
  call: Call,
): Promise<T> {
  const results: T[] = [];
  const keep = async (working: Call) => void results.push(await work(working));
  await runAll([keep, check], (one, running) => one(running), call);
  const [result] = results as [T];
  return result;
}
