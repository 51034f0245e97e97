// Builders as JSON, with the members that buildx prints, in the order of its maps.
import { Buffer } from "node:buffer";
import { sortedRecord } from "../../../base/index.ts";
import { type BuilderView, type NodeView, platformNames } from "./builder-views.ts";

/** What Go has for a time that never was. */
const never = "0001-01-01T00:00:00Z";

/** One builder of `ls --format json`. */
export function builderDocument(view: BuilderView): Readonly<Record<string, unknown>> {
  return {
    Current: view.current,
    Driver: view.driver,
    Dynamic: view.dynamic,
    ...(view.error === undefined ? {} : { Err: view.error }),
    LastActivity: activityText(view) || never,
    Name: view.name,
    Nodes: view.nodes.map(nodeDocument),
  };
}

/** `2026-01-02T03:04:05Z`; empty where the builder was never used. */
export function activityText({ lastActivity }: BuilderView): string {
  return lastActivity ? `${lastActivity.toISOString().slice(0, 19)}Z` : "";
}

function nodeDocument({ record, info }: NodeView): Readonly<Record<string, unknown>> {
  const files = Object.entries(record.files).map(([name, data]) => [
    name,
    Buffer.from(data).toString("base64"),
  ]);
  const platforms = platformNames([], [...record.platforms, ...info.platforms]);
  return {
    ...some("DriverOpts", sortedRecord(record.driverOpts)),
    Endpoint: record.endpoint,
    ...(info.error === undefined ? {} : { Err: info.error }),
    ...some("Files", sortedRecord(Object.fromEntries(files))),
    ...some("Flags", record.flags),
    ...some("GCPolicy", info.gcPolicy.map(ruleDocument)),
    ...some("IDs", info.ids),
    ...some("Labels", sortedRecord(info.labels)),
    Name: record.name,
    ...some("Platforms", platforms),
    Status: info.status,
    ...(info.version === undefined ? {} : { Version: info.version }),
  };
}

function ruleDocument(
  rule: NodeView["info"]["gcPolicy"][number],
): Readonly<Record<string, unknown>> {
  return {
    all: rule.all,
    filter: rule.filter.length > 0 ? rule.filter : null,
    keepDuration: rule.keepDuration,
    maxUsedSpace: rule.maxUsedSpace,
    minFreeSpace: rule.minFreeSpace,
    reservedSpace: rule.reservedSpace,
  };
}

/** The member, unless there is nothing in it. */
function some(key: string, value: object): Readonly<Record<string, unknown>> {
  return Object.keys(value).length > 0 ? { [key]: value } : {};
}
