// Control: what clients ask of a daemon.
import type { BuildEvent, Builder, BuildRequest, Session, UsageRecord } from "../../api/index.ts";
import { type Call, type Digest, delay, foreignPattern, KilnError } from "../../base/index.ts";
import type { FailureFacts } from "../../engine/history/index.ts";
import { parseAlternatives, parseConditions } from "../../engine/retention/index.ts";
import { control, type workers } from "../../formats/proto/index.ts";
import {
  bind,
  type Implementation,
  rawMessage,
  type ServerCall,
  type Service,
  streamedBytes,
} from "../grpc/index.ts";
import { DrivenBuild } from "./driven-build.ts";
import type { Figures } from "./figures.ts";
import { eventMessage } from "./history-service.ts";
import { lendingBridge } from "./lent-sources.ts";
import { absentSession, type Sessions } from "./sessions.ts";
import { buildRequestOf } from "./solve-request.ts";
import { toStatus } from "./statuses.ts";
import type { DaemonVersion } from "./workers.ts";

export interface ControlParts {
  readonly builder: Builder;
  readonly sessions: Sessions;
  /** Builds that their clients drive, by ref. */
  readonly driven: Map<string, DrivenBuild>;
  readonly version: DaemonVersion;
  readonly worker: (call: Call) => Promise<workers.WorkerRecord>;
  readonly now: () => Date;
  readonly figures: Figures;
}

/** Milliseconds in which a build must begin whose status is asked for. */
const patience = 10_000;
const nanoseconds = 1e6;

/** Progress is passed on as it was written down, and sessions as they come. */
const definition = {
  ...control.ControlDefinition,
  methods: {
    ...control.ControlDefinition.methods,
    status: { ...control.ControlDefinition.methods.status, responseType: rawMessage },
    session: { ...control.ControlDefinition.methods.session, requestType: streamedBytes },
  },
} as const;

type Control = Implementation<typeof definition>;

export function controlService(parts: ControlParts): Service {
  const { builder, sessions } = parts;
  const told = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      throw toStatus(error);
    }
  };
  const implementation: Control = {
    solve: (request, call) => counted(solve(request, parts, call), parts.figures, call),
    status: (request, call) => status(request.Ref, builder, call),
    session: (requests, call) => sessions.serve(requests, call),
    info: async () => ({ buildkitVersion: { ...parts.version } }),
    listWorkers: async (request, call) => ({ record: await listWorkers(request, parts, call) }),
    diskUsage: (request, call) =>
      told(
        (async () => {
          const anyOf = parseAlternatives(request.filter);
          const records = await builder.diskUsage(call);
          const newest = parts.now().getTime() - request.ageLimit / nanoseconds;
          const wanted = records.filter(
            (one) =>
              one.type !== "history" &&
              // After everything has been pruned clients expect nothing to be there.
              one.overhead !== true &&
              anyOf.holds(one, parts.now()) &&
              (request.ageLimit <= 0 || (one.lastUsedAt?.getTime() ?? 0) <= newest),
          );
          return { record: wanted.map(usageMessage) };
        })(),
      ),
    async *prune(request, call) {
      try {
        for await (const record of builder.prune(pruneFilterOf(request), call))
          yield usageMessage(record);
      } catch (error) {
        throw toStatus(error);
      }
    },
    ...history(parts),
  };
  return bind(definition, implementation);
}

async function counted<T>(work: Promise<T>, figures: Figures, call: Call): Promise<T> {
  figures.builds++;
  try {
    const result = await work;
    figures.ended.succeeded++;
    return result;
  } catch (error) {
    figures.ended[call.signal.aborted ? "cancelled" : "failed"]++;
    throw error;
  } finally {
    figures.builds--;
  }
}

async function solve(
  message: control.SolveRequest,
  parts: ControlParts,
  call: ServerCall,
): Promise<control.SolveResponse> {
  let step: Digest | undefined;
  let locations: FailureFacts["locations"];
  try {
    const session =
      (message.Session === "" ? undefined : await parts.sessions.find(message.Session, call)) ??
      absentSession(message.Session);
    const check = await checkOf(message, parts, call);
    const request = { ...buildRequestOf(message), ...check };
    const drives = (build: DrivenBuild) => {
      locations = (one) => build.locations(one);
    };
    locations = (one) => request.definition?.locations?.get(one as Digest);
    const build = startBuild(request, session, message.Session, { ...parts, drives }, call);
    for await (const event of build.events) if (isFailure(event)) step ??= event.step;
    const { exporterResponse } = await build.result;
    return { ExporterResponse: new Map(Object.entries(exporterResponse)) };
  } catch (error) {
    throw toStatus(error, { step, ...(locations ? { locations } : {}) });
  }
}

/** Another session may be the one that is asked what to do with sources. */
async function checkOf(
  { SourcePolicySession: id }: control.SolveRequest,
  { sessions }: ControlParts,
  call: Call,
): Promise<Pick<BuildRequest, "checkSource">> {
  if (id === "") return {};
  const session = await sessions.find(id, call);
  if (!session) throw new KilnError("REQUEST_INVALID", `no active session for ${id}`);
  if (session.checkSource) return { checkSource: session.checkSource };
  const message = `session ${id} does not say what to do with sources (PolicyVerifier)`;
  throw new KilnError("REQUEST_INVALID", message);
}

function isFailure(event: BuildEvent): event is Extract<BuildEvent, { type: "step" }> {
  return event.type === "step" && event.state === "failed";
}

/** With neither a frontend nor a definition the client drives, through LLBBridge. */
function startBuild(
  request: BuildRequest,
  session: Session,
  sessionId: string,
  {
    builder,
    driven,
    drives,
  }: Pick<ControlParts, "builder" | "driven"> & { readonly drives: (build: DrivenBuild) => void },
  call: Call,
) {
  if (request.frontend !== undefined || request.definition)
    return builder.build(request, session, call);
  const { ref } = request;
  return builder.build(
    {
      ...request,
      async drive(bridge, driving) {
        const build = new DrivenBuild(lendingBridge(bridge, sessionId), driving);
        driven.set(ref, build);
        drives(build);
        try {
          return await build.outcome();
        } finally {
          driven.delete(ref);
        }
      },
    },
    session,
    call,
  );
}

/** The build may be about to begin: clients ask on both calls at once. */
async function* status(ref: string, { history }: Builder, call: Call): AsyncIterable<Uint8Array> {
  const rest = 20;
  let found = history?.status(ref, call);
  for (let waited = 0; !found && waited < patience; waited += rest) {
    await delay(rest, call);
    found = history?.status(ref, call);
  }
  if (!found) throw toStatus(new KilnError("RECORD_NOT_FOUND", `no such job ${ref}`));
  yield* found;
}

const pattern = (text: string) =>
  foreignPattern(text, (why) => new KilnError("REQUEST_INVALID", `filter ${text}: ${why}`));

/** Filters are the reference's: `id==…`, `label.NAME==…`; a worker must match one of them. */
async function listWorkers(
  { filter }: control.ListWorkersRequest,
  parts: ControlParts,
  call: Call,
): Promise<workers.WorkerRecord[]> {
  const worker = await parts.worker(call);
  const matches = (text: string) =>
    parseConditions(text).every(({ field: [key = "", ...label], operator, value }) => {
      const labels = /^labels?$/.test(key) ? worker.Labels : undefined;
      const found = key === "id" ? worker.ID : labels?.get(label.join("."));
      if (operator === "present") return found !== undefined;
      if (operator === "~=") return found !== undefined && pattern(value)(found) !== undefined;
      return (found === value) === (operator === "==");
    });
  try {
    return filter.length === 0 || filter.some(matches) ? [worker] : [];
  } catch (error) {
    throw toStatus(error);
  }
}

function pruneFilterOf(request: control.PruneRequest): Parameters<Builder["prune"]>[0] {
  const { all, filter, keepDuration, reservedSpace, maxUsedSpace, minFreeSpace } = request;
  const sizes = { reservedSpace, maxUsedSpace, minFreeSpace };
  for (const [name, value] of Object.entries({ keepDuration, ...sizes }))
    if (value < 0) throw new KilnError("REQUEST_INVALID", `${name} must not be negative`);
  const until = keepDuration > 0 ? [`until=${Math.ceil(keepDuration / nanoseconds)}ms`] : [];
  const limits = Object.fromEntries(Object.entries(sizes).filter(([, value]) => value > 0));
  // Clients know records of builds by another method, and delete them by it.
  return { all, anyOf: filter, filters: [...until, "type!=history"], ...limits };
}

function usageMessage(record: UsageRecord): control.UsageRecord {
  return control.UsageRecord.create({
    ID: record.id,
    Mutable: record.mutable,
    InUse: record.inUse,
    Size: record.size,
    CreatedAt: record.createdAt,
    ...(record.lastUsedAt ? { LastUsedAt: record.lastUsedAt } : {}),
    UsageCount: record.usageCount,
    Description: record.description,
    RecordType: record.type,
    Shared: record.shared,
    Parents: [...record.parents],
  });
}

function history({
  builder,
}: ControlParts): Pick<Control, "listenBuildHistory" | "updateBuildHistory"> {
  const kept = builder.history;
  if (!kept) return {};
  return {
    async *listenBuildHistory(request, call) {
      const { ActiveOnly, EarlyExit, Filter, Limit, Ref } = request;
      try {
        const events = kept.listen(
          {
            activeOnly: ActiveOnly,
            earlyExit: EarlyExit,
            filters: Filter.filter((text) => text !== ""),
            ...(Ref === "" ? {} : { ref: Ref }),
            ...(Limit > 0 ? { limit: Limit } : {}),
          },
          call,
        );
        for await (const event of events) yield eventMessage(event);
      } catch (error) {
        throw toStatus(error);
      }
    },
    async updateBuildHistory({ Ref, Pinned, Delete, Finalize }, call) {
      try {
        // There is nothing that is written later: records are whole when builds have ended.
        if (!Finalize) await kept.update(Ref, Delete ? { delete: true } : { pinned: Pinned }, call);
        return {};
      } catch (error) {
        throw toStatus(error);
      }
    },
  };
}
