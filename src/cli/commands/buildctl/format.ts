// --format of buildctl's commands: a Go template, or `json`.

import type { control } from "../../../formats/proto/index.ts";
import {
  parseTemplate,
  type Shape,
  Struct,
  structOf,
  type Template,
} from "../../../formats/template/index.ts";

export const formatFlag = {
  type: "string",
  value: "TEMPLATE",
  usage: "Format the output using the given Go template, e.g, '{{json .}}'",
} as const;

/** Undefined where no format was asked for. Throws `TEMPLATE_INVALID`. */
export function formatOf(text: string): Template | undefined {
  if (text === "") return undefined;
  return parseTemplate(text === "json" ? "{{json .}}" : text);
}

const usageShape: Shape = {
  ID: { member: "id" },
  Mutable: { member: "mutable" },
  InUse: { member: "inUse" },
  Size: { member: "size" },
  CreatedAt: { member: "createdAt" },
  LastUsedAt: { member: "lastUsedAt" },
  UsageCount: { member: "usageCount" },
  Parents: { member: "parents" },
  Description: { member: "description" },
  RecordType: { member: "recordType" },
  Shared: { member: "shared" },
};

/** What happened to a build's record, by the number on the wire. */
export const eventNames: Readonly<Record<number, string>> = {
  0: "STARTED",
  1: "COMPLETE",
  2: "DELETED",
};

/** A record of what is kept, with the names of the reference's client. */
export function usageStruct(record: control.UsageRecord): Struct {
  return struct(
    {
      id: record.ID,
      mutable: record.Mutable,
      inUse: record.InUse,
      size: record.Size,
      createdAt: (record.CreatedAt ?? new Date(0)).toISOString(),
      lastUsedAt: record.LastUsedAt?.toISOString() ?? null,
      usageCount: record.UsageCount,
      parents: parentsOf(record),
      description: record.Description,
      recordType: record.RecordType,
      shared: record.Shared,
    },
    usageShape,
  );
}

/** Daemons from before several parents tell one. */
export function parentsOf({ Parents, Parent }: control.UsageRecord): readonly string[] {
  if (Parents.length > 0) return Parents;
  return Parent === "" ? [] : [Parent];
}

const descriptorShape: Shape = {
  MediaType: { member: "media_type" },
  Digest: { member: "digest" },
  Size: { member: "size" },
};

const eventShape: Shape = {
  Type: { member: "type", zero: 0 },
  Record: {
    member: "record",
    shape: {
      Ref: { member: "Ref" },
      Frontend: { member: "Frontend", zero: "" },
      FrontendAttrs: { member: "FrontendAttrs", zero: {} },
      Error: { member: "error" },
      CreatedAt: { member: "CreatedAt" },
      CompletedAt: { member: "CompletedAt" },
      Logs: { member: "logs", shape: descriptorShape },
      ExporterResponse: { member: "ExporterResponse", zero: {} },
      Generation: { member: "Generation", zero: 0 },
      Trace: { member: "trace", shape: descriptorShape },
      Pinned: { member: "pinned", zero: false },
      NumCachedSteps: { member: "numCachedSteps", zero: 0 },
      NumTotalSteps: { member: "numTotalSteps", zero: 0 },
      NumCompletedSteps: { member: "numCompletedSteps", zero: 0 },
      NumWarnings: { member: "numWarnings", zero: 0 },
    },
  },
};

/** An event of the history, with the names of its message; what is nothing is left out of the JSON, as Go does. */
export function eventStruct({ type, record }: control.BuildHistoryEvent): Struct {
  const json = record && {
    Ref: record.Ref,
    Frontend: record.Frontend,
    FrontendAttrs: Object.fromEntries(record.FrontendAttrs),
    Exporters: record.Exporters.map(({ Type, Attrs }) => ({
      Type,
      Attrs: Object.fromEntries(Attrs),
    })),
    error: record.error && { code: record.error.code, message: record.error.message },
    CreatedAt: secondsOf(record.CreatedAt),
    CompletedAt: secondsOf(record.CompletedAt),
    logs: record.logs && descriptorOf(record.logs),
    ExporterResponse: Object.fromEntries(record.ExporterResponse),
    Generation: record.Generation,
    trace: record.trace && descriptorOf(record.trace),
    pinned: record.pinned,
    numCachedSteps: record.numCachedSteps,
    numTotalSteps: record.numTotalSteps,
    numCompletedSteps: record.numCompletedSteps,
    numWarnings: record.numWarnings,
  };
  const { json: whole, fields } = struct(
    kept({ type, ...(json ? { record: kept(json) } : {}) }),
    eventShape,
  );
  // Templates print the event's name, JSON has its number.
  return new Struct(whole, { ...fields, Type: eventNames[type] });
}

function secondsOf(time: Date | undefined): { seconds: number; nanos: number } | undefined {
  if (!time) return undefined;
  const ms = time.getTime();
  const seconds = Math.floor(ms / 1000);
  return { seconds, nanos: (ms - seconds * 1000) * 1e6 };
}

function descriptorOf({ mediaType, digest, size }: control.Descriptor) {
  return { media_type: mediaType, digest, size };
}

function kept(record: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const empty = (value: unknown) =>
    value === undefined ||
    value === "" ||
    value === 0 ||
    value === false ||
    (typeof value === "object" && value !== null && Object.keys(value).length === 0);
  return Object.fromEntries(Object.entries(record).filter(([, value]) => !empty(value)));
}

function struct(json: Readonly<Record<string, unknown>>, shape: Shape): Struct {
  const made = structOf(json, shape);
  if (!made) throw new Error("no record");
  return made;
}
