// The files of a record besides its log: a trace of its steps, and what is said about its results.
import type { BuildRecord, BuildResult, RecordedBlob, RecordedResult } from "../../api/index.ts";
import { digestHex, digestOf } from "../../base/index.ts";
import type { control } from "../../formats/proto/index.ts";

/** A file that is to be written, with its description. */
export interface RecordFile {
  readonly blob: RecordedBlob;
  readonly data: Uint8Array;
}

const traceMediaType = "application/vnd.buildkit.otlp.json.v0";
const statementMediaType = "application/vnd.in-toto+json";
const predicateKey = "in-toto.io/predicate-type";
const provenanceType = "https://slsa.dev/provenance/v1";

/** All files that a record names. */
export function blobsOf({ logs, trace, results = {} }: BuildRecord): readonly RecordedBlob[] {
  const said = Object.values(results).flatMap((one) => [...one.attestations, ...one.results]);
  return [logs, trace, ...said].filter((one) => one !== undefined);
}

/** What is said about the results, and the files of that. */
export interface RecordedFiles {
  readonly results: Readonly<Record<string, RecordedResult>>;
  readonly files: readonly RecordFile[];
}

/**
 * Provenance of each platform, that of a single one as the result's as such; and what was exported, with everything that
 * clients may want to read of it. Undefined where the builder tells neither.
 */
export function resultsOf({ provenance, images = [] }: BuildResult): RecordedFiles | undefined {
  const said = Object.entries(provenance?.() ?? {}).map(([platform, predicate]) => {
    const annotations = { [predicateKey]: provenanceType };
    return {
      platform,
      statement: file(statementMediaType, JSON.stringify(predicate), annotations),
    };
  });
  if (said.length === 0 && images.length === 0) return undefined;
  const documents = images.flat().map(({ descriptor, data }): RecordFile => {
    const { mediaType, digest, size } = descriptor;
    return { blob: { mediaType, digest, size }, data };
  });
  const results = images.flatMap(([root]) => {
    const blob = documents.find((one) => one.blob.digest === root?.descriptor.digest)?.blob;
    return blob ? [blob] : [];
  });
  // Clients look for what is said of single platforms only where nothing is said of the result as such.
  const recorded = said.map(({ platform, statement }) => {
    const one: RecordedResult = { attestations: [statement.blob], results };
    return [said.length === 1 ? "" : platform, one] as const;
  });
  const unsaid: typeof recorded = [["", { attestations: [], results }]];
  return {
    results: Object.fromEntries(recorded.length === 0 ? unsaid : recorded),
    files: [...said.map(({ statement }) => statement), ...documents],
  };
}

/** Spans of the build and its steps, as the reference writes them: what OpenTelemetry's Go library calls SpanStubs. */
export function traceBlob(record: BuildRecord, steps: readonly control.Vertex[]): RecordFile {
  const trace = digestHex(digestOf(`trace ${record.ref}`)).slice(0, 32);
  const id = (name: string) => digestHex(digestOf(`span ${record.ref} ${name}`)).slice(0, 16);
  const context = (span: string) => ({
    TraceID: trace,
    SpanID: span,
    TraceFlags: "01",
    TraceState: "",
    Remote: false,
  });
  const none = { ...context("0".repeat(16)), TraceID: "0".repeat(32), TraceFlags: "00" };
  const end = record.completedAt ?? record.createdAt;
  const root = id("build");
  const text = (key: string, value: string) => ({
    Key: key,
    Value: { Type: "STRING", Value: value },
  });
  const span = (name: string, own: string, parent: string | undefined, rest: object) => ({
    Name: name,
    SpanContext: context(own),
    Parent: parent === undefined ? none : context(parent),
    SpanKind: 1,
    ...rest,
    Events: null,
    Links: null,
    DroppedAttributes: 0,
    DroppedEvents: 0,
    DroppedLinks: 0,
    ChildSpanCount: parent === undefined ? steps.length : 0,
    Resource: [text("service.name", "kiln")],
    InstrumentationLibrary: { Name: "kiln", Version: "", SchemaURL: "" },
  });
  const status = (error: string | undefined) =>
    error ? { Code: 1, Description: error } : { Code: 0, Description: "" };
  const spans = [
    span("build", root, undefined, {
      StartTime: record.createdAt,
      EndTime: end,
      Attributes: [text("ref", record.ref), text("frontend", record.frontend)],
      Status: status(record.error?.message),
    }),
    ...steps
      .filter(({ started }) => started)
      .map((step) =>
        span(step.name, id(step.digest), root, {
          StartTime: step.started,
          EndTime: step.completed ?? end,
          Attributes: [
            text("vertex", step.digest),
            ...(step.cached ? [{ Key: "cached", Value: { Type: "BOOL", Value: true } }] : []),
          ],
          Status: status(step.error),
        }),
      ),
  ];
  return file(traceMediaType, spans.map((one) => `${JSON.stringify(one)}\n`).join(""));
}

function file(
  mediaType: string,
  text: string,
  annotations?: RecordedBlob["annotations"],
): RecordFile {
  const data = new TextEncoder().encode(text);
  const blob = { mediaType, digest: digestOf(data), size: data.length };
  return { blob: annotations ? { ...blob, annotations } : blob, data };
}
