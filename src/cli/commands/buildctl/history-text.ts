// Records of builds as buildctl lists them.
import type { control } from "../../../formats/proto/index.ts";
import { eventNames } from "./format.ts";

export function eventName({ type }: control.BuildHistoryEvent): string {
  return eventNames[type] ?? String(type);
}

/** Type, ref, beginning, end and generation. */
export function eventCells(event: control.BuildHistoryEvent): readonly string[] {
  const { record } = event;
  return [
    eventName(event),
    record?.Ref ?? "",
    localTime(record?.CreatedAt),
    localTime(record?.CompletedAt),
    String(record?.Generation ?? 0),
  ];
}

export const eventHeadings: readonly string[] = [
  "TYPE",
  "REF",
  "CREATED",
  "COMPLETED",
  "GENERATION",
];

/** RFC 3339 in the zone of this machine, in whole seconds. */
function localTime(time: Date | undefined): string {
  if (!time) return "";
  const offset = -time.getTimezoneOffset();
  const local = new Date(time.getTime() + offset * 60_000).toISOString().slice(0, 19);
  if (offset === 0) return `${local}Z`;
  const two = (value: number) => String(value).padStart(2, "0");
  const size = Math.abs(offset);
  return `${local}${offset < 0 ? "-" : "+"}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}

/** A file of a record, as protobuf's text form has it. */
export function descriptorText({ mediaType, digest, size }: control.Descriptor): string {
  return `media_type:${JSON.stringify(mediaType)} digest:${JSON.stringify(digest)} size:${size}`;
}
