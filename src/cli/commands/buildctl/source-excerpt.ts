// The places in source files that a daemon's error names, and the excerpts that are printed of them.
import { Buffer } from "node:buffer";
import { isRecord } from "../../../base/index.ts";
import { errdefs } from "../../../formats/proto/index.ts";
import type { StatusError } from "../../../remote/grpc/index.ts";

/** Lines of one file that an error is about. */
export interface ErrorSource {
  readonly file: string;
  readonly text: string;
  /** First and last line, counted from 1. */
  readonly ranges: readonly { readonly start: number; readonly end: number }[];
}

/** Of each place the daemon tells; what cannot be read is left out. */
export function readSources(status: StatusError): readonly ErrorSource[] {
  return status.details
    .filter(({ typeUrl }) => /errdefs\.Source\b/.test(typeUrl))
    .flatMap(({ value }) => readSource(value) ?? []);
}

/** The detail is the message in JSON, as Go writes it, or in protobuf. */
function readSource(value: Uint8Array): ErrorSource | undefined {
  try {
    return value[0] === 0x7b ? fromJson(value) : fromMessage(value);
  } catch {
    return undefined;
  }
}

function fromMessage(value: Uint8Array): ErrorSource | undefined {
  const { info, ranges } = errdefs.Source.decode(value);
  if (!info) return undefined;
  const lines = ranges.flatMap(({ start, end }) =>
    start ? [{ start: start.line, end: end?.line || start.line }] : [],
  );
  return { file: info.filename, text: new TextDecoder().decode(info.data), ranges: lines };
}

function fromJson(value: Uint8Array): ErrorSource | undefined {
  const source: unknown = JSON.parse(new TextDecoder().decode(value));
  if (!isRecord(source) || !isRecord(source["info"]) || !Array.isArray(source["ranges"])) return;
  const { filename, data } = source["info"];
  const ranges = source["ranges"].flatMap((range: unknown) => {
    if (!isRecord(range)) return [];
    const start = lineOf(range["start"]);
    return start === 0 ? [] : [{ start, end: lineOf(range["end"]) || start }];
  });
  const text = typeof data === "string" ? Buffer.from(data, "base64").toString("utf8") : "";
  return { file: String(filename ?? ""), text, ranges };
}

function lineOf(position: unknown): number {
  const line = isRecord(position) ? position["line"] : undefined;
  return typeof line === "number" && Number.isSafeInteger(line) && line > 0 ? line : 0;
}

const rule = "--------------------";

/** `FILE:LINE`, and the lines between rules with those that are meant marked; empty where the file has no such lines. */
export function sourceText({ file, text, ranges }: ErrorSource): string {
  const lines = text.split("\n");
  const first = Math.min(...ranges.map(({ start }) => start));
  const last = Math.min(Math.max(...ranges.map(({ end }) => end)), lines.length);
  if (ranges.length === 0 || first > lines.length) return "";
  const [from, to] = widened(first, last, lines.length);
  const shown = lines.slice(from - 1, to).map((line, index) => {
    const at = from + index;
    const meant = ranges.some(({ start, end }) => at >= start && at <= end);
    return ` ${String(at).padStart(3)} | ${meant ? ">>>" : "   "} ${line}\n`;
  });
  return `${file}:${first}\n${rule}\n${shown.join("")}${rule}\n`;
}

/** Two lines of context around a block, or four around a single line, where the file has them. */
function widened(first: number, last: number, count: number): readonly [number, number] {
  let [from, to] = [first, last];
  let left = first === last ? 4 : 2;
  // Lines before and behind in turn; each round costs one more.
  while (left > 0) {
    if (from > 1) {
      from--;
      left--;
    }
    if (to < count) {
      to++;
      left--;
    }
    left--;
  }
  return [from, to];
}
