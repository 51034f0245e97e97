// A record as bundles have it: JSON of Go's BuildHistoryRecord message, read back with suspicion.
import { Buffer } from "node:buffer";
import type { BuildRecord, RecordedBlob, RecordedResult } from "../../api/index.ts";
import { isDigest, isRecord, parseDigest } from "../../base/index.ts";

type Json = Readonly<Record<string, unknown>>;

export function recordToJson(record: BuildRecord, defaultPlatform: string): Json {
  const { completedAt, error, logs, trace, results = {} } = record;
  const whole = results[""];
  const others = Object.entries(results).filter(([platform]) => platform !== "");
  return omitEmpty({
    Ref: record.ref,
    Frontend: record.frontend,
    FrontendAttrs: withoutCacheCredentials(record.attrs),
    Exporters: record.exporters.map(({ type, attrs }) => omitEmpty({ Type: type, Attrs: attrs })),
    error: error && {
      code: error.code,
      message: error.message,
      details: error.details.map(({ typeUrl, value }) => ({
        type_url: typeUrl,
        value: Buffer.from(value).toString("base64"),
      })),
    },
    CreatedAt: timeJson(record.createdAt),
    CompletedAt: completedAt && timeJson(completedAt),
    logs: logs && blobJson(logs),
    ExporterResponse: record.exporterResponse,
    Result: whole && resultJson(whole),
    Results: Object.fromEntries(others.map(([platform, one]) => [platform, resultJson(one)])),
    Generation: record.generation,
    trace: trace && blobJson(trace),
    pinned: record.pinned,
    numCachedSteps: record.cachedSteps,
    numTotalSteps: record.totalSteps,
    numCompletedSteps: record.completedSteps,
    numWarnings: record.warnings,
    DefaultPlatform: defaultPlatform,
  });
}

/** Caches are named in the record; what opens them is left out. */
function withoutCacheCredentials(attrs: Readonly<Record<string, string>>): Json {
  const text = attrs["cache-imports"];
  if (text === undefined) return attrs;
  try {
    const list: unknown = JSON.parse(text);
    if (!Array.isArray(list)) return { ...attrs, "cache-imports": "" };
    const plain = list.filter(isRecord).map(({ Type, Attrs }) => {
      const kept = Object.entries(isRecord(Attrs) ? Attrs : {}).filter(([key]) =>
        ["ref", "scope"].includes(key),
      );
      return { Type, Attrs: Object.fromEntries(kept) };
    });
    return { ...attrs, "cache-imports": JSON.stringify(plain) };
  } catch {
    return { ...attrs, "cache-imports": "" };
  }
}

function timeJson(time: Date): Json {
  const ms = time.getTime();
  const seconds = Math.floor(ms / 1000);
  return omitEmpty({ seconds, nanos: (ms - seconds * 1000) * 1_000_000 });
}

function blobJson({ mediaType, digest, size, annotations = {} }: RecordedBlob): Json {
  return omitEmpty({ media_type: mediaType, digest, size, annotations });
}

function resultJson({ attestations, results }: RecordedResult): Json {
  return omitEmpty({
    Attestations: attestations.map(blobJson),
    Results: Object.fromEntries(results.map((one, at) => [String(at), blobJson(one)])),
  });
}

/** As Go's `omitempty`. */
function omitEmpty(document: Json): Json {
  const isEmpty = (value: unknown) =>
    value === undefined ||
    value === "" ||
    value === 0 ||
    value === false ||
    (Array.isArray(value) && value.length === 0) ||
    (isRecord(value) && Object.keys(value).length === 0);
  return Object.fromEntries(Object.entries(document).filter(([, value]) => !isEmpty(value)));
}

/** Undefined where it is no record. */
export function recordFromJson(document: Json): BuildRecord | undefined {
  const ref = document["Ref"];
  const createdAt = timeOf(document["CreatedAt"]);
  if (typeof ref !== "string" || ref === "" || !createdAt) return undefined;
  const completedAt = timeOf(document["CompletedAt"]);
  const error = errorOf(document["error"]);
  const logs = blobOf(document["logs"]);
  const trace = blobOf(document["trace"]);
  const results = resultsOf(document);
  const exporters = listOf(document["Exporters"]).map((one) => ({
    type: String(one["Type"] ?? ""),
    attrs: attrsOf(one["Attrs"]),
  }));
  return {
    ref,
    frontend: typeof document["Frontend"] === "string" ? document["Frontend"] : "",
    attrs: attrsOf(document["FrontendAttrs"]),
    exporters,
    createdAt,
    ...(completedAt ? { completedAt } : {}),
    ...(error ? { error } : {}),
    exporterResponse: attrsOf(document["ExporterResponse"]),
    ...(logs ? { logs } : {}),
    ...(trace ? { trace } : {}),
    ...(Object.keys(results).length > 0 ? { results } : {}),
    pinned: document["pinned"] === true,
    generation: numberOf(document["Generation"]),
    cachedSteps: numberOf(document["numCachedSteps"]),
    totalSteps: numberOf(document["numTotalSteps"]),
    completedSteps: numberOf(document["numCompletedSteps"]),
    warnings: numberOf(document["numWarnings"]),
  };
}

function numberOf(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) ? value : 0;
}

function listOf(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.filter(isRecord) : [];
}

function attrsOf(value: unknown): Readonly<Record<string, string>> {
  if (!isRecord(value)) return {};
  const texts = Object.entries(value).filter(
    (pair): pair is [string, string] => typeof pair[1] === "string",
  );
  return Object.fromEntries(texts);
}

function timeOf(value: unknown): Date | undefined {
  if (!isRecord(value)) return undefined;
  const time = new Date(numberOf(value["seconds"]) * 1000 + numberOf(value["nanos"]) / 1_000_000);
  return Number.isNaN(time.getTime()) ? undefined : time;
}

function blobOf(value: unknown): RecordedBlob | undefined {
  if (!isRecord(value)) return undefined;
  const digest = value["digest"];
  if (typeof digest !== "string" || !isDigest(digest)) return undefined;
  const annotations = attrsOf(value["annotations"]);
  return {
    mediaType: String(value["media_type"] ?? ""),
    digest: parseDigest(digest),
    size: numberOf(value["size"]),
    ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
  };
}

function errorOf(value: unknown): BuildRecord["error"] {
  if (!isRecord(value)) return undefined;
  const details = listOf(value["details"]).map((one) => ({
    typeUrl: String(one["type_url"] ?? ""),
    value: new Uint8Array(Buffer.from(String(one["value"] ?? ""), "base64")),
  }));
  return { code: numberOf(value["code"]), message: String(value["message"] ?? ""), details };
}

function resultsOf(document: Json): Readonly<Record<string, RecordedResult>> {
  const { Result, Results } = document as { readonly Result?: unknown; readonly Results?: unknown };
  const all: (readonly [string, unknown])[] = [
    ["", Result],
    ...Object.entries(isRecord(Results) ? Results : {}),
  ];
  const read = all.flatMap(([platform, value]) => {
    if (!isRecord(value)) return [];
    const results = isRecord(value["Results"]) ? Object.values(value["Results"]) : [];
    const one: RecordedResult = {
      attestations: listOf(value["Attestations"]).flatMap((blob) => blobOf(blob) ?? []),
      results: results.flatMap((blob) => blobOf(blob) ?? []),
    };
    return [[platform, one] as const];
  });
  return Object.fromEntries(read);
}
