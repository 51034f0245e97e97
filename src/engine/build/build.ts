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
  type Digest,
  isKilnError,
  KilnError,
  Once,
  runAll,
} from "../../base/index.ts";
import type { LlbGraph } from "../../formats/llb/index.ts";
import { formatPlatform, type Platform } from "../../formats/oci/index.ts";
import type { Snapshotter } from "../../storage/snapshot/index.ts";
import { fullProvenance, parseAttestOptions } from "../attest/index.ts";
import type { BuildOutcome, RemoteCaches } from "../cache/index.ts";
import type { CdiDevices, Executor } from "../executor/index.ts";
import type { StepHistory } from "../explain/index.ts";
import { defaultEpoch, type Exporter, type SolvedResult } from "../exporter/index.ts";
import type { Frontend } from "../frontend/index.ts";
import type { ContainerParts, OpDefinition, OpResult, Sources } from "../ops/index.ts";
import { type PlanTarget, planReport, watchImages } from "../plan/index.ts";
import { openSourcePolicy, type SourceRules } from "../policy/index.ts";
import type { Solver } from "../solver/index.ts";
import type { ImageSource } from "../source/index.ts";
import {
  attestProvenance,
  BuildNotes,
  describeProvenance,
  emulatorsOf,
  type SharedPins,
} from "./attest-result.ts";
import {
  allowedResult,
  type BridgeParts,
  createBridge,
  refOf,
  refOfView,
  resultOf,
} from "./bridge.ts";
import { exportCaches, findCaches, importCaches, inlineCache } from "./caches.ts";
import { checkArchitecture } from "./check-arch.ts";
import { type BuildContainers, buildContainers } from "./containers.ts";
import { startEarlyPacking } from "./early-packing.ts";
import { type Entitlement, type Grants, grantEntitlements, readAllowed } from "./entitlements.ts";
import { EventQueue } from "./event-queue.ts";
import { type ExplainedJob, openJob } from "./explained-job.ts";
import { checkExports, exportResult, findExporters } from "./export.ts";
import { runPlatforms } from "./failures.ts";
import { resourcesOf } from "./resources.ts";
import { scanResults } from "./scan-result.ts";
import { SecretMask } from "./secret-mask.ts";
import { resolveSourceMeta } from "./source-meta.ts";
import { StepLogs } from "./step-logs.ts";
import type { VertexBuild } from "./vertices.ts";

/** What a build is made of; lent by the engine. */
export interface BuildParts {
  readonly solver: Solver<OpDefinition, OpResult>;
  readonly frontends: ReadonlyMap<string, Frontend>;
  readonly exporters: ReadonlyMap<string, Exporter>;
  readonly images: ImageSource;
  readonly snapshotter: Snapshotter;
  readonly sources: Sources;
  readonly executor: () => Promise<Executor>;
  readonly platforms: readonly Platform[];
  readonly now: () => Date;
  /** What requests may ask for beyond the sandbox. */
  readonly entitlements: readonly Entitlement[];
  /** Of the machine. */
  readonly devices: Pick<CdiDevices, "isAutoAllowed">;
  /** For processes beside steps. */
  readonly containers: ContainerParts;
  readonly history: StepHistory;
  /** Caches from elsewhere. */
  readonly caches: RemoteCaches;
  /** What sources stood for when builds asked. */
  readonly pins: SharedPins;
  /** Builds are different people's. */
  readonly manyClients?: boolean;
  /** Where whole logs of builds are kept. */
  readonly logs: string;
}

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

function grantedTo(request: BuildRequest, { entitlements, devices }: BuildParts): Grants {
  return grantEntitlements(request.entitlements ?? [], entitlements, (name) =>
    devices.isAutoAllowed(name),
  );
}

interface RunningParts extends BuildParts {
  readonly emit: (event: BuildEvent) => void;
  /** Blots out secrets that the build has seen. */
  readonly masked: (text: string) => string;
}

async function runBuild(
  request: BuildRequest,
  session: Session,
  parts: RunningParts,
  call: Call,
): Promise<BuildResult> {
  const wanted = findExporters(request.exporters, parts.exporters);
  const granted = grantedTo(request, parts);
  const caches = findCaches(request, parts.caches);
  const rules = rulesOf(request, session, parts);
  if (request.plan) return await planBuild(request, session, parts, call);
  const attest = parseAttestOptions(request.attrs);
  const notes = new BuildNotes(parts.now(), parts.pins);
  await using job = openJob(request, session, parts);
  await using containers = containersOf(session, granted, parts);
  await using imported = new AsyncStack();
  imported.use(await importCaches(caches, session, parts, call));
  const importMore = async (wanted: readonly ExportRequest[], importing: Call) => {
    const found = findCaches({ attrs: {}, cacheImports: wanted }, parts.caches);
    imported.use(await importCaches(found, session, parts, importing));
  };
  // Whichever fails first stops the other before the job is gone.
  const described = await runBeside(
    (describing) =>
      describe(
        request,
        session,
        job,
        { ...parts, granted, notes, rules, importCaches: importMore, beside: containers },
        describing,
      ),
    (checking) => checkExports(wanted, session, checking),
    call,
  );
  const graphs = described.platforms.map((one) =>
    one.definition ? readAllowed(one.definition, granted) : undefined,
  );
  const build = nesting(shared(request, session, parts, notes), job, granted, rules);
  const beforeWork = onceDone((checking) => checkPlatforms(graphs, parts, checking));
  const sourceDateEpoch = epochOf(request, described);
  await using early = startEarlyPacking(graphs, wanted, { session, sourceDateEpoch }, call);
  const { afterWork } = early;
  const snapshots = await runPlatforms(
    graphs,
    (graph, solving) => job.solve(graph, { ...build, beforeWork, afterWork }, solving),
    request.keepGoing ?? false,
    call,
  );
  if (request.expectCached) job.expectCached();
  const { checkArch } = request;
  if (checkArch) {
    const results = described.platforms.map(({ platform }, index) => ({
      platform,
      snapshot: snapshots[index],
    }));
    await runAll(results, (one, c) => checkArchitecture(checkArch, one, parts, c), call);
  }
  const outcome = async (naming: Call): Promise<BuildOutcome> => ({
    targets: await Promise.all(graphs.map((graph) => job.names(graph, build, naming))),
    snapshots,
    epoch: sourceDateEpoch,
    session,
  });
  const emulators = await emulatorsOf(graphs, parts.executor, call);
  const said = { ...parts, notes, emulators };
  const scanned = attest.sbom ? described.platforms : [];
  const extras = await runAll(
    scanned,
    async ({ sbomExtras = new Map() }, solving) => {
      const entries = [...sbomExtras].map(([name, definition]) => ({ name, definition }));
      return await runAll(
        entries,
        async ({ name, definition }, c) => ({
          name,
          snapshot: await job.solve(readAllowed(definition, granted), build, c),
        }),
        solving,
      );
    },
    call,
  );
  const bills = await scanResults(
    scanned.map(({ id }, index) => ({
      id,
      snapshot: snapshots[index],
      extras: extras[index] ?? [],
      created: sourceDateEpoch ?? defaultEpoch,
    })),
    attest.sbom,
    session,
    parts,
    call,
  );
  const result: SolvedResult = {
    platforms: described.platforms.map(({ platform, id, config, definition }, index) => {
      const one = { definition, graph: graphs[index] };
      const provenance = attest.provenance
        ? [attestProvenance(request, one, attest.provenance, said)]
        : [];
      const inline = caches.inline
        ? { inlineCache: inlineCache(() => outcome(call), index, parts.caches) }
        : {};
      const snapshot = snapshots[index];
      const attestations = [...provenance, ...(bills[index] ?? [])];
      return { platform, id, config, snapshot, attestations, ...inline };
    }),
    multiPlatform: described.multiPlatform,
    sourceDateEpoch,
  };
  early.stop();
  const exported = await exportResult(wanted, result, session, parts, call);
  const cached =
    caches.exports.length === 0 ? {} : await exportCaches(caches, await outcome(call), parts, call);
  return {
    exporterResponse: { ...described.metadata, ...exported.attrs, ...cached },
    ...(exported.descriptor ? { descriptor: exported.descriptor } : {}),
    provenance: () =>
      Object.fromEntries(
        described.platforms.map(({ id, definition }, index) => [
          id,
          describeProvenance(
            request,
            { definition, graph: graphs[index] },
            fullProvenance,
            said,
            [],
          ),
        ]),
      ),
  };
}

/** What the build would do. Names are looked up and lent directories are read; no step runs. */
async function planBuild(
  request: BuildRequest,
  session: Session,
  parts: RunningParts,
  call: Call,
): Promise<BuildResult> {
  const granted = grantedTo(request, parts);
  const images = watchImages(parts.images);
  // Sources that were only asked for their key are through with it, however far a build would go.
  const emit = (event: BuildEvent) =>
    parts.emit(isCancelled(event) && !call.signal.aborted ? { ...event, state: "done" } : event);
  await using job = openJob(request, session, { ...parts, emit });
  const rules = rulesOf(request, session, parts);
  const described = await describe(
    request,
    session,
    job,
    { ...parts, images, granted, rules, importCaches: async () => {} },
    call,
  );
  const targets = await runAll(
    described.platforms,
    async ({ platform, definition }, planning): Promise<PlanTarget> => {
      const graph = definition ? readAllowed(definition, granted) : undefined;
      const cached = await job
        .foresee(graph, shared(request, session, parts), planning)
        // An image that lacks the platform has been noted; what stands on it has nothing cached.
        .catch(unlessNotOffered);
      return { platform, graph, cached };
    },
    call,
  );
  const [native] = parts.platforms;
  if (!native) throw new Error("no platform can be built here");
  const { executor } = parts;
  const plan = await planReport(targets, { native, executor, images: images.found() }, call);
  return { exporterResponse: described.metadata, plan };
}

function isCancelled(event: BuildEvent): event is Extract<BuildEvent, { type: "step" }> {
  return event.type === "step" && event.state === "cancelled";
}

function unlessNotOffered(error: unknown): ReadonlyMap<Digest, boolean> {
  if (isKilnError(error) && error.code === "PLATFORM_NOT_OFFERED") return new Map();
  throw error;
}

/** What all steps of a build have in common. */
function shared(
  request: BuildRequest,
  session: Session,
  { manyClients = false }: Pick<BuildParts, "manyClients">,
  notes?: BuildNotes,
): VertexBuild {
  const resources = resourcesOf(request.attrs, request.resources);
  const onPin: VertexBuild["onPin"] = (vertex, pin) => notes?.pinned(vertex, pin);
  return { session, manyClients, onPin, ...(resources === undefined ? {} : { resources }) };
}

/** With a way for steps that are builds themselves; what they build may do no more than the build around them. */
function nesting(
  build: VertexBuild,
  job: ExplainedJob,
  granted: Grants,
  rules: SourceRules,
): VertexBuild {
  return {
    ...build,
    async solve(asked, inside, call) {
      const definition = await rules.definition(asked, call);
      const graph = readAllowed(definition, granted);
      // It would wait for itself.
      if (graph.vertices.some(({ digest }) => inside.includes(digest)))
        throw new KilnError("DEFINITION_INVALID", "a nested build needs its own result");
      return await job.solve(graph, { ...nesting(build, job, granted, rules), inside }, call);
    },
  };
}

/** What is to be solved and exported: as the frontend says, or the request's own definition for the native platform. */
async function describe(
  request: BuildRequest,
  session: Session,
  job: ExplainedJob,
  parts: DescribingParts,
  call: Call,
): Promise<FrontendResult> {
  const found = await describeAsAsked(request, session, job, parts, call);
  return await allowedResult(found, parts.rules, call);
}

type DescribingParts = Omit<RunningParts, "images"> &
  Pick<BridgeParts, "images" | "rules" | "importCaches"> & {
    readonly granted: Grants;
    readonly notes?: BuildNotes;
    /** Absent while nothing may run. */
    readonly beside?: BuildContainers;
  };

function containersOf(
  session: Session,
  granted: Grants,
  { containers, platforms }: BuildParts,
): BuildContainers {
  const [native] = platforms;
  if (!native) throw new Error("no platform can be built here");
  const refs = { resultOf, refOf: (result: OpResult) => result && refOf(result), refOfView };
  return buildContainers({ ...containers, ...refs, session, granted, native });
}

/** The request's rules for sources. Throws `REQUEST_INVALID`. */
function rulesOf(request: BuildRequest, session: Session, parts: BuildParts): SourceRules {
  const { sourcePolicies = [], checkSource } = request;
  return openSourcePolicy({
    policies: sourcePolicies,
    meta: metaOf(parts, session),
    ...(checkSource ? { check: checkSource } : {}),
  });
}

function metaOf(
  parts: Pick<BridgeParts, "images" | "sources" | "platforms">,
  session: Session,
): BridgeParts["meta"] {
  return (source, options, call) => resolveSourceMeta(source, options, parts, session, call);
}

async function describeAsAsked(
  request: BuildRequest,
  session: Session,
  job: ExplainedJob,
  parts: DescribingParts,
  call: Call,
): Promise<FrontendResult> {
  const { drive, frontend: name, attrs, inputs = {} } = request;
  if (!drive && name === undefined) return definitionResult(request, parts.platforms);
  const { beside } = parts;
  // Whoever drives a build may want to look into steps that fail.
  const keep: Pick<VertexBuild, "onFailure"> =
    drive && beside ? { onFailure: (vertex, failed) => beside.failed(vertex, failed) } : {};
  const bridge = createBridge({
    ...parts,
    ...(beside ? { containers: beside } : { containers: undefined }),
    session,
    inputs,
    meta: metaOf(parts, session),
    solve: (definition, solving) => {
      const graph = readAllowed(definition, parts.granted);
      parts.notes?.read(definition, graph);
      const build = nesting(
        { ...shared(request, session, parts, parts.notes), ...keep },
        job,
        parts.granted,
        parts.rules,
      );
      return job.solve(graph, build, solving);
    },
    looked: (reference, pinned) => parts.notes?.looked(reference, pinned),
  });
  if (drive) return await drive(bridge, call);
  return await bridge.frontend({ name: name as string, attrs, inputs }, call);
}

function definitionResult(request: BuildRequest, platforms: readonly Platform[]): FrontendResult {
  const [platform] = platforms;
  if (!platform || !request.definition) {
    throw new KilnError(
      "DEFINITION_INVALID",
      "the request has neither a frontend nor a definition",
    );
  }
  const { os, architecture, variant } = platform;
  const config = {
    os,
    architecture,
    ...(variant ? { variant } : {}),
    rootfs: { type: "layers", diff_ids: [] },
  } as const;
  const one = { platform, id: formatPlatform(platform), definition: request.definition, config };
  return { platforms: [one], multiPlatform: false, metadata: {} };
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
