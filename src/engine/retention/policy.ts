// When to remove what without being asked: BuildKit's rules, and its default ones.
import type { GcRule } from "../../api/index.ts";
import { parseDuration, parseSize } from "../../base/index.ts";

/** Bytes, or a part of the disk. */
export type Space = { readonly bytes: number } | { readonly percent: number };

/** One rule, in the form of `[[worker.oci.gcpolicy]]`. Rules are applied one after the other. */
export interface GcPolicy {
  /** Also what belongs to the store and to named images. */
  readonly all?: boolean;
  /** Milliseconds: what was used since stays. */
  readonly keepDuration?: number;
  /** One of them must match; of the parts between commas, all. */
  readonly filters?: readonly string[];
  readonly reservedSpace?: Space;
  readonly maxUsedSpace?: Space;
  readonly minFreeSpace?: Space;
}

const hour = 3_600_000;
const gigabyte = 1e9;

/** Limits that a user may set apart from rules. */
export interface GcLimits {
  readonly reservedSpace?: Space;
  readonly maxUsedSpace?: Space;
  readonly minFreeSpace?: Space;
}

/** All that can be said about collecting. */
export interface GcOptions extends GcLimits {
  /** False leaves everything to `prune`. */
  readonly enabled?: boolean;
  /** Instead of the default rules. */
  readonly policies?: readonly GcPolicy[];
}

/**
 * The reference's four rules: what can be made again easily goes after two days, the rest after sixty, then the limits hold,
 * at last for everything. Limits that are not set depend on the disk: a tenth of it, up to 10 GB, is always kept; at most four
 * fifths, up to 100 GB, are used; a fifth stays free.
 */
export function defaultPolicies(limits: GcLimits, disk: number): readonly GcPolicy[] {
  const part = (percent: number, most: number): Space => ({
    bytes: Math.min(most, Math.floor((disk * percent) / 100)),
  });
  const spaces = {
    reservedSpace: limits.reservedSpace ?? part(10, 10 * gigabyte),
    maxUsedSpace: limits.maxUsedSpace ?? part(80, 100 * gigabyte),
    minFreeSpace: limits.minFreeSpace ?? part(20, Number.POSITIVE_INFINITY),
  };
  const easy = ["source.local", "exec.cachemount", "source.git.checkout"];
  return [
    {
      filters: easy.map((type) => `type==${type}`),
      keepDuration: 48 * hour,
      maxUsedSpace: { bytes: 512e6 },
    },
    { keepDuration: 60 * 24 * hour, ...spaces },
    spaces,
    { all: true, ...spaces },
  ];
}

/** `"512MB"`, `"10%"`, or a number of bytes. Undefined when it is none. */
export function parseSpace(value: unknown): Space | undefined {
  if (typeof value === "number")
    return Number.isSafeInteger(value) && value >= 0 ? { bytes: value } : undefined;
  if (typeof value !== "string") return undefined;
  const percent = /^(\d{1,3})%$/.exec(value);
  if (percent) return Number(percent[1]) <= 100 ? { percent: Number(percent[1]) } : undefined;
  const bytes = parseSize(value);
  return bytes === undefined ? undefined : { bytes };
}

/** `"48h"`, or a number of seconds; milliseconds. Undefined when it is none. */
export function parseKeepDuration(value: unknown): number | undefined {
  if (typeof value === "number") return value >= 0 ? value * 1000 : undefined;
  return typeof value === "string" ? parseDuration(value) : undefined;
}

/** The number of bytes on a disk of that size. */
export function bytesOfSpace(space: Space | undefined, disk: number): number {
  if (space === undefined) return 0;
  return "bytes" in space ? space.bytes : Math.floor((disk * space.percent) / 100);
}

/** The rules as they apply to a disk of so many bytes. None where nothing is collected without being asked. */
export function gcRules(options: GcOptions, disk: number): readonly GcRule[] {
  if (options.enabled === false) return [];
  return (options.policies ?? defaultPolicies(options, disk)).map((policy) => ({
    all: policy.all ?? false,
    ...(policy.keepDuration === undefined ? {} : { keepDuration: policy.keepDuration }),
    filters: policy.filters ?? [],
    reservedSpace: bytesOfSpace(policy.reservedSpace, disk),
    maxUsedSpace: bytesOfSpace(policy.maxUsedSpace, disk),
    minFreeSpace: finite(bytesOfSpace(policy.minFreeSpace, disk)),
  }));
}

function finite(bytes: number): number {
  return Number.isFinite(bytes) ? Math.floor(bytes) : 0;
}
