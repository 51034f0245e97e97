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

/** Provenance of each platform; undefined where the builder keeps none. A single platform's is that of the result as such. */
export function attestationsOf({ provenance }: BuildResult):
  | {
      readonly results: Readonly<Record<string, RecordedResult>>;
      readonly files: readonly RecordFile[];
    }
  | undefined {
  if (!provenance) return undefined;
  const all = Object.entries(provenance());
  const files = all.map(([, predicate]) =>
    file(statementMediaType, JSON.stringify(predicate), { [predicateKey]: provenanceType }),
  );
  const results = all.map(([platform], at) => {
    const attestations = files.slice(at, at + 1).map(({ blob }) => blob);
    return [all.length === 1 ? "" : platform, { attestations, results: [] }] as const;
  });
  return { results: Object.fromEntries(results), files };
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
