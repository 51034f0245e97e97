// The builder as BuildKit's clients see it: one worker, with its platforms and rules.
import type { BuilderInfo } from "../../api/index.ts";
import { workers } from "../../formats/proto/index.ts";

/** What a daemon says of its build. */
export interface DaemonVersion {
  readonly package: string;
  readonly version: string;
  readonly revision: string;
}

const nanoseconds = 1e6;

/** `id` is the worker's, the same as long as its root is. */
export function workerRecord(
  info: BuilderInfo,
  id: string,
  version: DaemonVersion,
): workers.WorkerRecord {
  return workers.WorkerRecord.create({
    ID: id,
    Labels: new Map(Object.entries(info.labels)),
    platforms: info.platforms.map((platform) => ({
      Architecture: platform.architecture,
      OS: platform.os,
      Variant: platform.variant ?? "",
      OSVersion: platform.osVersion ?? "",
      OSFeatures: [...(platform.osFeatures ?? [])],
    })),
    CDIDevices: (info.devices ?? []).map(({ name, autoAllow, annotations }) => ({
      Name: name,
      AutoAllow: autoAllow,
      Annotations: new Map(Object.entries(annotations)),
      OnDemand: false,
    })),
    GCPolicy: (info.gc ?? []).map((rule) => ({
      all: rule.all,
      keepDuration: Math.round((rule.keepDuration ?? 0) * nanoseconds),
      filters: [...rule.filters],
      reservedSpace: rule.reservedSpace,
      maxUsedSpace: rule.maxUsedSpace,
      minFreeSpace: rule.minFreeSpace,
    })),
    BuildkitVersion: { ...version },
  });
}
