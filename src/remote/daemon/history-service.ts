// Build history over the wire: records, and the files that belong to them.
import type { BuildHistory, BuildRecord, HistoryEvent, RecordedBlob } from "../../api/index.ts";
import { type Digest, isDigest } from "../../base/index.ts";
import { content, control } from "../../formats/proto/index.ts";
import { bind, type Service, StatusError, statusCodes } from "../grpc/index.ts";

const eventTypes = {
  started: control.BuildHistoryEventType.STARTED,
  complete: control.BuildHistoryEventType.COMPLETE,
  deleted: control.BuildHistoryEventType.DELETED,
} as const;

export function eventMessage({ type, record }: HistoryEvent): control.BuildHistoryEvent {
  return { type: eventTypes[type], record: recordMessage(record) };
}

function recordMessage(record: BuildRecord): control.BuildHistoryRecord {
  const { error, logs, trace, results = {} } = record;
  const pairs = (attrs: Readonly<Record<string, string>>) => new Map(Object.entries(attrs));
  return control.BuildHistoryRecord.create({
    Ref: record.ref,
    Frontend: record.frontend,
    FrontendAttrs: pairs(record.attrs),
    Exporters: record.exporters.map(({ type, attrs }) => ({ Type: type, Attrs: pairs(attrs) })),
    CreatedAt: record.createdAt,
    ...(record.completedAt ? { CompletedAt: record.completedAt } : {}),
    ...(error ? { error: { ...error, details: [...error.details] } } : {}),
    ...(logs ? { logs: descriptorMessage(logs) } : {}),
    ...(trace ? { trace: descriptorMessage(trace) } : {}),
    ...resultsMessage(results),
    ExporterResponse: pairs(record.exporterResponse),
    Generation: record.generation,
    pinned: record.pinned,
    numCachedSteps: record.cachedSteps,
    numTotalSteps: record.totalSteps,
    numCompletedSteps: record.completedSteps,
    numWarnings: record.warnings,
  });
}

function descriptorMessage({
  mediaType,
  digest,
  size,
  annotations = {},
}: RecordedBlob): control.Descriptor {
  return { mediaType, digest, size, annotations: new Map(Object.entries(annotations)) };
}

/** The result as such has a field of its own. */
function resultsMessage(
  results: NonNullable<BuildRecord["results"]>,
): Partial<Pick<control.BuildHistoryRecord, "Result" | "Results">> {
  const all = Object.entries(results).map(([platform, one]) => {
    const info = control.BuildResultInfo.create({
      Attestations: one.attestations.map(descriptorMessage),
      Results: new Map(one.results.map((blob, at) => [at, descriptorMessage(blob)])),
    });
    return [platform, info] as const;
  });
  const whole = all.find(([platform]) => platform === "")?.[1];
  return {
    ...(whole ? { Result: whole } : {}),
    Results: new Map(all.filter(([platform]) => platform !== "")),
  };
}

/** containerd's content service over the history's files: clients read logs through it. It takes nothing. */
export function contentService(history: BuildHistory): Service {
  const find = async (digest: string, call: Parameters<BuildHistory["blob"]>[1]) => {
    const found = isDigest(digest) ? await history.blob(digest as Digest, call) : undefined;
    if (found) return found;
    throw new StatusError(statusCodes.NOT_FOUND, `content ${digest}: not found`);
  };
  return bind(content.ContentDefinition, {
    info: async ({ digest }, call) => ({
      info: content.Info.create({ digest, size: (await find(digest, call)).size }),
    }),
    async *read({ digest, offset, size }, call) {
      const { data } = await find(digest, call);
      let at = 0;
      const end = size > 0 ? offset + size : Number.POSITIVE_INFINITY;
      for await (const chunk of data) {
        const from = Math.max(0, offset - at);
        const piece = chunk.subarray(from, Math.max(from, end - at));
        if (piece.length > 0) yield { offset: at + from, data: piece };
        at += chunk.length;
        if (at >= end) return;
      }
    },
  });
}
