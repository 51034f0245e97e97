// What a node says of itself: its status, version, workers, and their rules of garbage collection.
import { type Call, isKilnError } from "../../base/index.ts";
import type { Platform } from "../../formats/oci/index.ts";
import { formatPlatform, normalizePlatform } from "../../formats/oci/index.ts";
import { control, type workers } from "../../formats/proto/index.ts";
import { createClient, openChannel, StatusError } from "../grpc/index.ts";
import type { Driver, NodeStatus } from "./driver.ts";

/** One rule of garbage collection; durations are nanoseconds, as on the wire. */
export interface GcRule {
  readonly all: boolean;
  readonly filter: readonly string[];
  readonly keepDuration: number;
  readonly reservedSpace: number;
  readonly maxUsedSpace: number;
  readonly minFreeSpace: number;
}

/** A device that steps may ask for. */
export interface NodeDevice {
  readonly name: string;
  readonly autoAllow: boolean;
  readonly onDemand: boolean;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface NodeInfo {
  /** `error` when the node could not be asked. */
  readonly status: NodeStatus | "error";
  readonly error?: string;
  readonly version?: string;
  readonly ids: readonly string[];
  /** Of all its workers, in their order, each once. */
  readonly platforms: readonly Platform[];
  readonly labels: Readonly<Record<string, string>>;
  readonly gcPolicy: readonly GcRule[];
  readonly devices: readonly NodeDevice[];
}

const nothing = { ids: [], platforms: [], labels: {}, gcPolicy: [], devices: [] } as const;

/** Never throws but when the call is cancelled: what went wrong is part of the answer. */
export async function askNode(driver: Driver, call: Call): Promise<NodeInfo> {
  let status: NodeStatus = "inactive";
  try {
    status = await driver.status(call);
    if (status !== "running") return { ...nothing, status };
    return { ...(await askWorkers(driver, call)), status };
  } catch (error) {
    if (call.signal.aborted) throw error;
    return { ...nothing, status: "error", error: wordsOf(error) };
  }
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Asks a running node. Throws `StatusError` and what connecting throws. */
export async function askWorkers(driver: Driver, call: Call): Promise<Omit<NodeInfo, "status">> {
  const socket = await driver.connect(call);
  await using channel = openChannel(socket, {});
  const client = createClient(control.ControlDefinition, channel);
  const { record } = await client.listWorkers({ filter: [] }, call);
  const version = record[0]?.BuildkitVersion?.version || (await versionOf(client, call));
  return {
    ids: record.map(({ ID }) => ID),
    platforms: distinct(record.flatMap(({ platforms }) => platforms.map(platformOf))),
    labels: Object.fromEntries(record.flatMap(({ Labels }) => [...Labels])),
    gcPolicy: record.flatMap(({ GCPolicy }) => GCPolicy.map(ruleOf)),
    devices: record.flatMap(({ CDIDevices }) => CDIDevices.map(deviceOf)),
    ...(version === undefined ? {} : { version }),
  };
}

type ControlClient = ReturnType<typeof createClient<typeof control.ControlDefinition>>;

async function versionOf(client: ControlClient, call: Call): Promise<string | undefined> {
  try {
    return (await client.info({}, call)).buildkitVersion?.version || undefined;
  } catch (error) {
    // Daemons from before that method have no version to tell.
    if (error instanceof StatusError || isKilnError(error)) return undefined;
    throw error;
  }
}

function platformOf(platform: workers.WorkerRecord["platforms"][number]): Platform {
  return normalizePlatform({
    os: platform.OS,
    architecture: platform.Architecture,
    ...(platform.Variant ? { variant: platform.Variant } : {}),
    ...(platform.OSVersion ? { osVersion: platform.OSVersion } : {}),
  });
}

function distinct(platforms: readonly Platform[]): readonly Platform[] {
  return [...new Map(platforms.map((one) => [formatPlatform(one), one])).values()];
}

function ruleOf(rule: workers.GCPolicy): GcRule {
  return {
    all: rule.all,
    filter: rule.filters,
    keepDuration: Number(rule.keepDuration),
    reservedSpace: Number(rule.reservedSpace),
    maxUsedSpace: Number(rule.maxUsedSpace),
    minFreeSpace: Number(rule.minFreeSpace),
  };
}

function deviceOf(device: workers.CDIDevice): NodeDevice {
  return {
    name: device.Name,
    autoAllow: device.AutoAllow,
    onDemand: device.OnDemand,
    annotations: Object.fromEntries(device.Annotations),
  };
}
