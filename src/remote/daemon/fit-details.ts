// Details of errors that fit into a header: long files and long commands are cut to what clients show of them.
import { Buffer } from "node:buffer";
import { isRecord } from "../../base/index.ts";
import { type AnyMessage, StatusError } from "../grpc/index.ts";

/** Bytes of all details of one status, with room for what is around them; nghttp2 takes 64 KiB of base64. */
const maxDetails = 40 << 10;
/** Lines around the places that are meant, and characters of one line. Clients show four lines. */
const around = 12;
const maxLine = 400;
/** Characters of one text of an op, such as an argument or a file's contents. */
const maxText = 2048;

const prefix = "github.com/moby/buildkit/errdefs.";

/** The same status where its details fit; else long texts in them are cut, and what still does not fit is left out. */
export function fitDetails(status: StatusError): StatusError {
  if (sizeOf(status.details) <= maxDetails) return status;
  const cut = status.details.map(cutDetail);
  while (sizeOf(cut) > maxDetails) {
    const largest = cut.reduce((a, b) => (b.value.length > a.value.length ? b : a));
    cut.splice(cut.indexOf(largest), 1);
  }
  return new StatusError(status.code, status.message, cut);
}

function sizeOf(details: readonly AnyMessage[]): number {
  return details.reduce((sum, { typeUrl, value }) => sum + typeUrl.length + value.length + 16, 0);
}

function cutDetail(detail: AnyMessage): AnyMessage {
  const { typeUrl, value } = detail;
  const cut = typeUrl === `${prefix}Source+json` ? cutSource : undefined;
  const cutter = typeUrl === `${prefix}Solve+json` ? cutTexts : cut;
  if (!cutter) return detail;
  try {
    const message = cutter(JSON.parse(new TextDecoder().decode(value)));
    return { typeUrl, value: new TextEncoder().encode(JSON.stringify(message)) };
  } catch {
    return detail;
  }
}

/** Lines keep their numbers: those that nobody is shown are empty. */
function cutSource(message: unknown): unknown {
  if (!isRecord(message) || !isRecord(message["info"])) return message;
  const { info, ranges } = message;
  const wanted = (Array.isArray(ranges) ? ranges : []).flatMap((range) => {
    const start = lineOf(range, "start");
    return start > 0 ? [[start - around, Math.max(start, lineOf(range, "end")) + around]] : [];
  });
  const text = Buffer.from(String(info["data"] ?? ""), "base64").toString();
  const lines = text.split("\n").map((line, index) => {
    const shown = wanted.some(([from = 0, to = 0]) => index + 1 >= from && index + 1 <= to);
    return shown ? line.slice(0, maxLine) : "";
  });
  // What is behind the last one that is shown is of no number.
  while (lines.length > 1 && lines.at(-1) === "") lines.pop();
  const data = Buffer.from(lines.join("\n")).toString("base64");
  return { ...message, info: { ...info, data } };
}

function lineOf(range: unknown, end: "start" | "end"): number {
  const position = isRecord(range) ? range[end] : undefined;
  const line = isRecord(position) ? position["line"] : undefined;
  return typeof line === "number" ? line : 0;
}

function cutTexts(value: unknown): unknown {
  // Bytes are base64: cut at a whole group they stay readable.
  if (typeof value === "string") return value.slice(0, maxText);
  if (Array.isArray(value)) return value.map(cutTexts);
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, cutTexts(one)]));
}
