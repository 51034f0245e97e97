// The trace of a record: SpanStubs of OpenTelemetry's Go library, one after the other, into spans and into OTLP's JSON.
import { isRecord, KilnError, readAll } from "../../../base/index.ts";
import type { RunWorld } from "../command.ts";
import type { FoundRecord } from "./records.ts";

/** Times are milliseconds since 1970, with fractions. */
export interface Span {
  readonly trace: string;
  readonly id: string;
  readonly parent: string | undefined;
  readonly name: string;
  readonly start: number;
  readonly end: number;
  readonly kind: number;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  readonly service: string;
  readonly error: string | undefined;
}

const maxTrace = 256 << 20;
const maxSpans = 1_000_000;
const noId = /^0*$/;

/** Throws `RECORD_NOT_FOUND` where the build has no trace. */
export async function readSpans(
  { record, history }: FoundRecord,
  world: RunWorld,
): Promise<readonly Span[]> {
  await history.finalize?.(record.ref, world.call);
  const file = record.trace && (await history.blob(record.trace.digest, world.call));
  if (!file)
    throw new KilnError("RECORD_NOT_FOUND", `no trace is kept of build ${record.ref}`, {
      hint: record.completedAt
        ? "The builder does not gather traces, or has let go of it."
        : "It is written when the build has ended.",
    });
  const text = new TextDecoder().decode(await readAll(file.data, maxTrace, "the trace"));
  // Documents follow one another, each on one line, or on several of which only the first begins with a brace.
  return text
    .split(/\n(?=\{)/)
    .slice(0, maxSpans)
    .flatMap((line) => spanOf(line) ?? []);
}

function spanOf(line: string): Span | undefined {
  let stub: unknown;
  try {
    stub = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (!isRecord(stub) || !isRecord(stub["SpanContext"])) return undefined;
  const { Parent, Status, Resource } = stub as Readonly<Record<string, unknown>>;
  const parent = isRecord(Parent) ? String(Parent["SpanID"] ?? "") : "";
  const status = isRecord(Status) ? Status : {};
  const failed = status["Code"] === "Error" || status["Code"] === 1;
  return {
    trace: String(stub["SpanContext"]["TraceID"] ?? ""),
    id: String(stub["SpanContext"]["SpanID"] ?? ""),
    parent: noId.test(parent) ? undefined : parent,
    name: String(stub["Name"] ?? ""),
    start: timeOf(stub["StartTime"]),
    end: timeOf(stub["EndTime"]),
    kind: typeof stub["SpanKind"] === "number" ? stub["SpanKind"] : 1,
    attributes: attributesOf(stub["Attributes"]),
    service: String(attributesOf(Resource)["service.name"] ?? ""),
    error: failed ? String(status["Description"] ?? "") : undefined,
  };
}

/** Go writes up to nine digits of a second; three of them are a Date's. */
function timeOf(value: unknown): number {
  const match = /^(.*T\d\d:\d\d:\d\d)(\.\d+)?(.*)$/.exec(String(value ?? ""));
  if (!match) return 0;
  const whole = Date.parse(`${match[1]}${match[3]}`);
  return Number.isNaN(whole) ? 0 : whole + Number(match[2] ?? 0) * 1000;
}

function attributesOf(value: unknown): Span["attributes"] {
  const pairs = (Array.isArray(value) ? value : []).filter(isRecord).map((one) => {
    const typed = isRecord(one["Value"]) ? one["Value"]["Value"] : undefined;
    const plain =
      typeof typed === "number" || typeof typed === "boolean" ? typed : String(typed ?? "");
    return [String(one["Key"] ?? ""), plain] as const;
  });
  return Object.fromEntries(pairs);
}

/** OTLP's JSON (opentelemetry-proto, TracesData), which tracing tools read. */
export function otlpJson(spans: readonly Span[]): unknown {
  const nanos = (ms: number) => String(BigInt(Math.round(ms * 1000)) * 1000n);
  const value = (one: string | number | boolean) => {
    if (typeof one === "boolean") return { boolValue: one };
    if (typeof one === "string") return { stringValue: one };
    return Number.isInteger(one) ? { intValue: String(one) } : { doubleValue: one };
  };
  const services = byService(spans);
  return {
    resourceSpans: Array.from(services, ([service, own]) => ({
      resource: { attributes: [{ key: "service.name", value: { stringValue: service } }] },
      scopeSpans: [
        {
          scope: { name: service },
          spans: own.map((one) => ({
            traceId: one.trace,
            spanId: one.id,
            ...(one.parent === undefined ? {} : { parentSpanId: one.parent }),
            name: one.name,
            kind: one.kind,
            startTimeUnixNano: nanos(one.start),
            endTimeUnixNano: nanos(one.end),
            attributes: Object.entries(one.attributes).map(([key, given]) => ({
              key,
              value: value(given),
            })),
            status: one.error === undefined ? {} : { code: 2, message: one.error },
          })),
        },
      ],
    })),
  };
}

function byService(spans: readonly Span[]): Map<string, Span[]> {
  const services = new Map<string, Span[]>();
  for (const one of spans) {
    const own = services.get(one.service) ?? [];
    own.push(one);
    services.set(one.service, own);
  }
  return services;
}
