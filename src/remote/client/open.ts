// A builder behind BuildKit's Control API, on this machine or another.
import type { BuilderInfo, PruneFilter, UsageRecord } from "../../api/index.ts";
import { type Call, KilnError, Once, parseDuration } from "../../base/index.ts";
import { formatPlatform, normalizePlatform, type Platform } from "../../formats/oci/index.ts";
import { control, type workers } from "../../formats/proto/index.ts";
import {
  type Channel,
  createClient,
  fromStatus,
  openChannel,
  StatusError,
  statusCodes,
} from "../grpc/index.ts";
import { startBuild } from "./build.ts";
import { remoteHistory } from "./history.ts";
import type { Connect, RemoteBuilder, RemoteBuilderOptions, RemoteWorker } from "./types.ts";

/** Connects at first need, and again when the connection is lost between two calls. Status lists may be long. */
const maxMessageSize = 64 << 20;

/** Throws nothing yet: what cannot be reached shows at the first call, as `BUILDER_UNREACHABLE`. */
export function openRemoteBuilder(connect: Connect, options: RemoteBuilderOptions): RemoteBuilder {
  let open: Channel | undefined;
  const opening = new Once<"channel", Channel>();
  const channel = async (call: Call): Promise<Channel> => {
    if (open) return open;
    return await opening.run("channel", (connecting) => dial(connecting), call);
  };
  const dial = async (call: Call): Promise<Channel> => {
    const { keepAlive } = options;
    const made = openChannel(await reach(connect, options.name, call), {
      maxMessageSize,
      ...(keepAlive === undefined ? {} : { keepAlive }),
    });
    open = made;
    void made.closed.then(() => {
      if (open === made) open = undefined;
    });
    return made;
  };
  const client = async (call: Call) => createClient(control.ControlDefinition, await channel(call));
  return {
    channel,
    info: (call) => named(async () => infoOf(options.name, await client(call), call)),
    workers: (call) =>
      named(async () => {
        const { record } = await (await client(call)).listWorkers({ filter: [] }, call);
        return record.map(workerOf);
      }),
    build: (request, session, call) => startBuild(request, session, channel, options, call),
    history: remoteHistory(channel),
    diskUsage: (call) =>
      named(async () => {
        const { record } = await (await client(call)).diskUsage({ filter: [], ageLimit: 0 }, call);
        return record.map(usageOf);
      }),
    async *prune(filter, call) {
      try {
        for await (const one of (await client(call)).prune(pruneRequest(filter), call))
          yield usageOf(one);
      } catch (error) {
        throw error instanceof StatusError ? fromStatus(error) : error;
      }
    },
    async [Symbol.asyncDispose]() {
      await open?.[Symbol.asyncDispose]();
    },
  };
}

async function reach(connect: Connect, name: string, call: Call) {
  try {
    return await connect(call);
  } catch (error) {
    call.signal.throwIfAborted();
    if (error instanceof KilnError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new KilnError("BUILDER_UNREACHABLE", `cannot reach builder ${name}: ${why}`, {
      cause: error,
    });
  }
}

/** Statuses become Kiln's errors. */
async function named<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof StatusError ? fromStatus(error) : error;
  }
}

type ControlClient = ReturnType<typeof createClient<typeof control.ControlDefinition>>;

async function infoOf(name: string, client: ControlClient, call: Call): Promise<BuilderInfo> {
  const { record } = await client.listWorkers({ filter: [] }, call);
  const [worker] = record;
  return {
    name,
    version: worker?.BuildkitVersion?.version || (await versionOf(client, call)),
    platforms: distinct(record.flatMap(({ platforms }) => platforms.map(platformOf))),
    labels: Object.fromEntries(worker?.Labels ?? []),
  };
}

/** Daemons from before that method have no version to tell. */
async function versionOf(client: ControlClient, call: Call): Promise<string> {
  try {
    return (await client.info({}, call)).buildkitVersion?.version ?? "";
  } catch (error) {
    if (error instanceof StatusError && error.code === statusCodes.UNIMPLEMENTED) return "";
    throw error;
  }
}

function platformOf({
  OS,
  Architecture,
  Variant,
}: workers.WorkerRecord["platforms"][number]): Platform {
  return normalizePlatform({
    os: OS,
    architecture: Architecture,
    ...(Variant === "" ? {} : { variant: Variant }),
  });
}

function distinct(platforms: readonly Platform[]): readonly Platform[] {
  return [...new Map(platforms.map((one) => [formatPlatform(one), one])).values()];
}

function workerOf({ ID, Labels, platforms }: workers.WorkerRecord): RemoteWorker {
  return {
    id: ID,
    labels: Object.fromEntries(Labels),
    platforms: platforms.map((one) => formatPlatform(platformOf(one))),
  };
}

function usageOf(record: control.UsageRecord): UsageRecord {
  const { ID, Size, InUse, Mutable, Shared, RecordType, Description } = record;
  const parents = record.Parents.length > 0 ? record.Parents : [record.Parent].filter(Boolean);
  return {
    id: ID,
    type: RecordType,
    description: Description,
    size: Size,
    inUse: InUse,
    mutable: Mutable,
    shared: Shared,
    createdAt: record.CreatedAt ?? new Date(0),
    ...(record.LastUsedAt ? { lastUsedAt: record.LastUsedAt } : {}),
    usageCount: record.UsageCount,
    parents,
  };
}

/** The age that a filter `until=24h` asks for is a field of its own on the wire. */
function pruneRequest(filter: PruneFilter): control.PruneRequest {
  const filters = filter.filters ?? [];
  const until = filters.find((one) => one.startsWith("until="))?.slice("until=".length);
  const age = until === undefined ? undefined : parseDuration(until);
  if (until !== undefined && age === undefined)
    throw new KilnError(
      "FLAG_INVALID",
      `invalid duration ${JSON.stringify(until)} of filter until`,
    );
  return {
    filter: wireFilter(
      filters.filter((one) => !one.startsWith("until=")),
      filter.anyOf ?? [],
    ),
    all: filter.all ?? false,
    keepDuration: age === undefined ? 0 : age * 1_000_000,
    reservedSpace: filter.reservedSpace ?? 0,
    maxUsedSpace: filter.maxUsedSpace ?? 0,
    minFreeSpace: filter.minFreeSpace ?? 0,
  };
}

/** Docker's filters in containerd's words (filters of `pkg/filters`), all of which must hold beside one of the others. */
function wireFilter(filters: readonly string[], anyOf: readonly string[]): string[] {
  if (filters.length === 0) return [...anyOf];
  const one = filters.map((filter) => {
    const [, key, operator, value] = /^([^=!~]+)(==|!=|~=|=)(.*)$/s.exec(filter) ?? [];
    if (key === undefined) return filter;
    const word = operator === "=" ? (key === "id" ? "~=" : "==") : operator;
    return `${key}${word}${value}`;
  });
  if (anyOf.length === 0) return [one.join(",")];
  return anyOf.map((text) => [...(text.trim() === "" ? [] : [text]), ...one].join(","));
}
