// What a daemon remembers of builds, through Control and its content store.
import type {
  BuildHistory,
  BuildRecord,
  HistoryEvent,
  RecordedBlob,
  RecordedResult,
} from "../../api/index.ts";
import { type Call, isDigest, KilnError, parseDigest } from "../../base/index.ts";
import { content, control } from "../../formats/proto/index.ts";
import {
  type Channel,
  createClient,
  fromStatus,
  rawMessage,
  StatusError,
  statusCodes,
} from "../grpc/index.ts";

type Connected = (call: Call) => Promise<Channel>;

const eventTypes: Readonly<Record<number, HistoryEvent["type"]>> = {
  [control.BuildHistoryEventType.STARTED]: "started",
  [control.BuildHistoryEventType.COMPLETE]: "complete",
  [control.BuildHistoryEventType.DELETED]: "deleted",
};

/** Progress is read as it was written down. */
const statusDefinition = {
  ...control.ControlDefinition,
  methods: {
    ...control.ControlDefinition.methods,
    status: { ...control.ControlDefinition.methods.status, responseType: rawMessage },
  },
} as const;

/** The history behind a channel; statuses become Kiln's errors. */
export function remoteHistory(channel: Connected): BuildHistory {
  const client = async (call: Call) => createClient(control.ControlDefinition, await channel(call));
  return {
    async *listen(query, call) {
      const request = control.BuildHistoryRequest.create({
        ActiveOnly: query.activeOnly ?? false,
        Ref: query.ref ?? "",
        EarlyExit: query.earlyExit ?? false,
        Filter: [...(query.filters ?? [])],
        Limit: query.limit ?? 0,
      });
      try {
        for await (const { type, record } of (await client(call)).listenBuildHistory(request, call))
          if (record) yield { type: eventTypes[type] ?? "complete", record: recordOf(record) };
      } catch (error) {
        throw named(error);
      }
    },
    async update(ref, change, call) {
      await update({ Ref: ref, Pinned: change.pinned ?? false, Delete: change.delete ?? false });
      async function update(request: Partial<control.UpdateBuildHistoryRequest>): Promise<void> {
        try {
          const message = control.UpdateBuildHistoryRequest.create(request);
          await (await client(call)).updateBuildHistory(message, call);
        } catch (error) {
          throw missing(error, ref);
        }
      }
    },
    async *status(ref, call) {
      try {
        const connected = createClient(statusDefinition, await channel(call));
        yield* connected.status({ Ref: ref }, call);
      } catch (error) {
        throw missing(error, ref);
      }
    },
    async blob(digest, call) {
      const files = createClient(content.ContentDefinition, await channel(call));
      try {
        const { info } = await files.info({ digest }, call);
        return { size: info?.size ?? 0, data: read() };
      } catch (error) {
        if (error instanceof StatusError && error.code === statusCodes.NOT_FOUND) return undefined;
        throw named(error);
      }
      async function* read() {
        const request = content.ReadContentRequest.create({ digest });
        for await (const { data } of files.read(request, call)) yield data;
      }
    },
    async finalize(ref, call) {
      try {
        const message = control.UpdateBuildHistoryRequest.create({ Ref: ref, Finalize: true });
        await (await client(call)).updateBuildHistory(message, call);
      } catch (error) {
        throw missing(error, ref);
      }
    },
  };
}

function named(error: unknown): unknown {
  return error instanceof StatusError ? fromStatus(error) : error;
}

function missing(error: unknown, ref: string): unknown {
  if (!(error instanceof StatusError) || error.code !== statusCodes.NOT_FOUND) return named(error);
  return new KilnError("RECORD_NOT_FOUND", `there is no record of build ${JSON.stringify(ref)}`, {
    hint: "Run 'kiln history ls' to see which there are.",
    cause: error,
  });
}

function recordOf(record: control.BuildHistoryRecord): BuildRecord {
  const { CompletedAt, error, logs, trace, Result, Results } = record;
  const results = [
    ...(Result ? [["", resultOf(Result)] as const] : []),
    ...Array.from(Results, ([platform, one]) => [platform, resultOf(one)] as const),
  ];
  const logFile = logs && blobOf(logs);
  const traceFile = trace && blobOf(trace);
  return {
    ref: record.Ref,
    frontend: record.Frontend,
    attrs: Object.fromEntries(record.FrontendAttrs),
    exporters: record.Exporters.map(({ Type, Attrs }) => ({
      type: Type,
      attrs: Object.fromEntries(Attrs),
    })),
    createdAt: record.CreatedAt ?? new Date(0),
    ...(CompletedAt ? { completedAt: CompletedAt } : {}),
    ...(error ? { error } : {}),
    exporterResponse: Object.fromEntries(record.ExporterResponse),
    ...(logFile ? { logs: logFile } : {}),
    ...(traceFile ? { trace: traceFile } : {}),
    ...(results.length > 0 ? { results: Object.fromEntries(results) } : {}),
    pinned: record.pinned,
    generation: record.Generation,
    cachedSteps: record.numCachedSteps,
    totalSteps: record.numTotalSteps,
    completedSteps: record.numCompletedSteps,
    warnings: record.numWarnings,
  };
}

function resultOf(info: control.BuildResultInfo): RecordedResult {
  // Older clients look for the first where it was before there were several.
  const named = [
    ...(info.ResultDeprecated ? [info.ResultDeprecated] : []),
    ...info.Results.values(),
  ];
  const all = [...new Map(named.map((one) => [one.digest, one])).values()];
  return {
    attestations: info.Attestations.flatMap((one) => blobOf(one) ?? []),
    results: all.flatMap((one) => blobOf(one) ?? []),
  };
}

function blobOf(message: control.Descriptor): RecordedBlob | undefined {
  const { mediaType, digest, size, annotations } = message;
  if (!isDigest(digest)) return undefined;
  const notes = annotations.size === 0 ? {} : { annotations: Object.fromEntries(annotations) };
  return { mediaType, digest: parseDigest(digest), size, ...notes };
}

/** The messages of a build's progress, decoded one after the other. */
export async function* decodeStatus(
  messages: AsyncIterable<Uint8Array>,
): AsyncIterable<control.StatusResponse> {
  for await (const one of messages) yield control.StatusResponse.decode(one);
}
