// The composition root: the only file that knows every part, and puts a builder together from them.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Builder, ServeBridge, Session } from "../api/index.ts";
import {
  AsyncStack,
  actingFor,
  actor,
  type Call,
  fromNodeError,
  tellActorsApart,
  uncancelled,
} from "../base/index.ts";
import { hostPlatform, type Platform } from "../formats/oci/index.ts";
import { openContentStore } from "../storage/content/index.ts";
import {
  createBlobOrigins,
  createBlobReader,
  createImageRecords,
  withMirrors,
} from "../storage/image/index.ts";
import { createNamedLocks, openKept } from "../storage/kept/index.ts";
import { openMetadata } from "../storage/metadata/index.ts";
import {
  createRegistry,
  type Registry,
  type RegistryClient,
  type RegistryHostConfig,
} from "../storage/registry/index.ts";
import {
  type LayerBlob,
  openSnapshotter,
  type Snapshotter,
  type SnapshotterKind,
} from "../storage/snapshot/index.ts";
import {
  allEntitlements,
  type BuildParts,
  type Entitlement,
  type RunImageRequest,
  runImage,
  SharedPins,
  startBuild,
} from "./build/index.ts";
import {
  createAzblobBackend,
  createCombinedStore,
  createGhaBackend,
  createLocalBackend,
  createObjectsHttp,
  createRegistryBackend,
  createRemoteCaches,
  createS3Backend,
  createTurns,
  openCacheStore,
} from "./cache/index.ts";
import {
  CdiDevices,
  type CdiOptions,
  createProcessSlots,
  type DnsSettings,
  type NetworkMode,
  openExecutor,
} from "./executor/index.ts";
import { openStepHistory } from "./explain/index.ts";
import { createExporters, createPacker, packForCache } from "./exporter/index.ts";
import { createFrontends, type Frontend } from "./frontend/index.ts";
import { type Hear, type HistoryOptions, openHistory } from "./history/index.ts";
import type { Standing } from "./isolation/index.ts";
import {
  createEarlierCopies,
  createOp,
  type OpParts,
  type OpResult,
  openCacheMounts,
} from "./ops/index.ts";
import { type GcOptions, gcRules } from "./retention/index.ts";
import { createSolver } from "./solver/index.ts";
import {
  createBlobSources,
  createGitSource,
  createHttpSources,
  createImageSource,
  createLocalSource,
  withLayouts,
} from "./source/index.ts";
import {
  createActivity,
  createCollector,
  diskSpace,
  diskUsage,
  prune,
  type UsageParts,
  verifyStore,
} from "./usage/index.ts";

export interface EngineOptions {
  /** Absolute; all that the engine keeps lies below it. Several engines may share it, also in other processes. */
  readonly root: string;
  /** How registries are reached, by host; `docker.io` for the hub. */
  readonly hosts: Readonly<Record<string, RegistryHostConfig>>;
  readonly version: string;
  readonly now: () => Date;
  /** When to remove what without being asked; the reference's rules where absent. */
  readonly gc?: GcOptions;
  /** Steps that run at once, over all builds; by default four for each processor, and at least eight. */
  readonly jobs?: number;
  /** How layers are shown, instead of the best way that works here. */
  readonly snapshotter?: SnapshotterKind;
  /** How this process is kept apart from the machine; as root where absent. */
  readonly standing?: Standing;
  /** Emulators as in KILN_QEMU, which go after those that the variable names. */
  readonly emulators?: string;
  /** How long builds are remembered, and how many; the reference's limits where absent. */
  readonly history?: Pick<HistoryOptions, "maxAge" | "maxEntries" | "stepLogLimit">;
  /** Path or name of the container runtime, instead of the first that is found. */
  readonly runtime?: string;
  /** What steps with the default network get, and whom they ask for names; what works here where absent. */
  readonly network?: NetworkMode;
  readonly dns?: DnsSettings;
  /** What the engine says it builds, instead of what is found; the first is what is built where nobody names one. */
  readonly platforms?: readonly Platform[];
  /** Builds are different people's: what one brings from elsewhere is not looked into for another. */
  readonly manyClients?: boolean;
  /** Speaks with frontends in containers; without it none is run. */
  readonly serveBridge?: ServeBridge;
  /** Those that may be asked for; all where absent. */
  readonly frontends?: readonly Frontend["name"][];
  /** Repositories whose frontends may run in containers; all where absent. */
  readonly gatewaySources?: readonly string[];
  /** What requests may ask for beyond the sandbox; everything that there is, where absent. */
  readonly entitlements?: readonly Entitlement[];
  /** Where devices are described that steps may ask for. */
  readonly cdi?: CdiOptions;
}

export type { RunImageRequest, RunMount } from "./build/index.ts";

/** The embedded builder, which can also run what it built. */
export interface Engine extends Builder {
  /** Where all that it keeps lies; absolute. */
  readonly root: string;
  /** Attached to this process's input and output. Resolves with the program's exit code. */
  runImage(request: RunImageRequest, session: Session, call: Call): Promise<number>;
  /** What is wrong with the store, one sentence each; reads all of it. */
  verify(call: Call): Promise<readonly string[]>;
}

/** The reference's names. */
const snapshotterLabels = { overlay: "overlayfs", fuse: "fuse-overlayfs", copy: "native" } as const;

/** Milliseconds between the end of what a client lent and the end of its build. */
const farewell = 100;

/** Below the root, by what lies there. */
const places = {
  content: "content",
  snapshots: "snapshots",
  /** Of processes for whom all files have one owner: the same layers look different to them. */
  ownSnapshots: "snapshots-one-owner",
  metadata: "metadata",
  images: "images",
  origins: "origins",
  exports: "exports",
  sources: "sources",
  executor: "executor",
  cacheMounts: "cache-mounts",
  turns: "turns",
  logs: "logs",
  history: "history",
} as const;

/**
 * Opens the embedded builder. Nothing is mounted and no runtime is looked for before a step needs it. Dispose it to let go
 * of the store.
 */
export async function openEngine(options: EngineOptions): Promise<Engine> {
  const owned = new AsyncStack();
  try {
    return await assemble(options, owned);
  } catch (error) {
    await owned[Symbol.asyncDispose]();
    throw error;
  }
}

/** Puts the parts together; what must be closed, also when it is opened later, goes onto `owned`. */
async function assemble(options: EngineOptions, owned: AsyncStack): Promise<Engine> {
  if (options.manyClients) tellActorsApart();
  const at = (place: keyof typeof places) => join(options.root, places[place]);
  try {
    mkdirSync(options.root, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw fromNodeError(error, `making ${options.root}`);
  }
  const content = await openContentStore(at("content"));
  const registries = createRegistries(options);
  const records = createImageRecords(at("images"));
  const mirrors = (host: string) => options.hosts[host]?.mirrors ?? [];
  const origins = withMirrors(createBlobOrigins(at("origins")), mirrors);
  const fetchBlob = ({ descriptor }: LayerBlob, call: Call) =>
    createBlobReader({ content, origins, registry: registries.current() })(descriptor, call);
  const snapshotter = owned.use(
    await openSnapshotter(
      { dir: at(options.standing?.owners === "one" ? "ownSnapshots" : "snapshots"), fetchBlob },
      options.snapshotter,
    ),
  );
  const metadata = owned.use(await openMetadata(at("metadata")));
  const kept = {
    cacheMounts: openKept(at("cacheMounts")),
    repositories: openKept(join(at("sources"), "git")),
    statIndexes: openKept(join(at("sources"), "local")),
    copies: openKept(join(at("sources"), "copies")),
  };
  const stores = { content, snapshotter, records, origins };
  const how = {
    ...(options.runtime === undefined ? {} : { runtime: options.runtime }),
    ...(options.standing === undefined ? {} : { standing: options.standing }),
    ...(options.network === undefined ? {} : { network: options.network }),
    ...(options.dns === undefined ? {} : { dns: options.dns }),
    ...(options.emulators === undefined ? {} : { emulators: options.emulators }),
  };
  const executor = lazily(async () =>
    owned.use(await openExecutor({ stateDir: at("executor"), ...how })),
  );
  const images = createImageSource({ ...stores, registry: registries.of });
  const files = createHttpSources({
    content,
    metadata,
    snapshotter,
    userAgent: `kiln/${options.version}`,
    hosts: options.hosts,
  }).map((source) => owned.use(source));
  const native = options.platforms?.[0] ?? hostPlatform(process.arch);
  const devices = new CdiDevices(options.cdi);
  const opParts: OpParts = {
    snapshotter,
    executor,
    sources: new Map([
      [images.scheme, images],
      ["oci-layout", images],
      ...[...files, ...createBlobSources({ snapshotter, registry: registries.of })].map(
        (source) => [source.scheme, source] as const,
      ),
      [
        "git",
        createGitSource({
          directory: kept.repositories.directory,
          snapshotter,
          onUse: (name, description) => kept.repositories.use(name, description),
        }),
      ],
      [
        "local",
        createLocalSource({
          directory: kept.statIndexes.directory,
          snapshotter,
          onUse: (name, description) => kept.statIndexes.use(name, description),
        }),
      ],
    ]),
    cacheMounts: openCacheMounts(kept.cacheMounts),
    copies: createEarlierCopies({
      snapshotter,
      directory: kept.copies.directory,
      onUse: (name, description) => kept.copies.use(name, description),
    }),
    devices,
    slots: createProcessSlots(options.jobs === undefined ? {} : { jobs: options.jobs }),
    defaultPlatform: native,
  };
  const entitlements = options.entitlements ?? allEntitlements;
  const results = snapshotResults(snapshotter);
  const cache = createCombinedStore<OpResult>({
    local: openCacheStore<OpResult>({ metadata, results }),
    content,
    origins,
    open: (layers, call) => snapshotter.image(layers, call),
    release: async (result) => result?.[Symbol.asyncDispose](),
    apart: options.manyClients ?? false,
  });
  const exporterParts = {
    ...stores,
    registry: registries.of,
    listing: registries.listing,
    directory: at("exports"),
    now: options.now,
  };
  const pack = createPacker(exporterParts);
  const objects = createObjectsHttp();
  const remoteCaches = createRemoteCaches({
    store: cache,
    backends: [
      createRegistryBackend({ registry: registries.of }),
      createLocalBackend(),
      createGhaBackend({ http: objects }),
      createS3Backend({ http: objects, now: options.now }),
      createAzblobBackend({ http: objects, now: options.now }),
    ],
    pack: (layer, options, call) => packForCache(exporterParts, pack, layer, options, call),
    read: (blob, session, call) =>
      createBlobReader({ content, origins, registry: registries.of(session) })(blob, call),
    repositories: (blob) => origins.repositories(blob),
  });
  const steps = openStepHistory(metadata);
  const parts: BuildParts = {
    solver: createSolver({
      op: (vertex) => createOp(vertex.def, opParts),
      cache,
      clone: (result) => result?.clone(),
      release: async (result) => result?.[Symbol.asyncDispose](),
      turns: createTurns(createNamedLocks(at("turns"), { fleeting: true }), metadata),
      ...(options.manyClients ? { farewell } : {}),
      now: options.now,
    }),
    frontends: createFrontends(options),
    exporters: createExporters(exporterParts, pack),
    caches: remoteCaches,
    images,
    snapshotter,
    containers: { executor, snapshotter, cacheMounts: opParts.cacheMounts },
    sources: opParts.sources,
    executor,
    runningExecutor: executor.opened,
    entitlements,
    devices,
    platforms: [native],
    now: options.now,
    history: steps,
    pins: new SharedPins(),
    logs: at("logs"),
    manyClients: options.manyClients ?? false,
  };
  const usageParts: UsageParts = {
    root: options.root,
    content,
    snapshotter,
    images: records,
    metadata,
    grows: [
      `${at("snapshots")}/layers`,
      `${at("ownSnapshots")}/layers`,
      `${at("content")}/blobs/sha256`,
    ],
    madeLayers: join(at("exports"), "layers"),
    origins: at("origins"),
    kept: [
      { things: kept.cacheMounts, type: "exec.cachemount" },
      { things: kept.repositories, type: "source.git.checkout" },
      { things: kept.statIndexes, type: "source.local" },
      { things: kept.copies, type: "source.local" },
    ],
    builds: { history: at("history"), logs: at("logs") },
    steps,
    now: options.now,
  };
  const letGo = () => {
    for (const store of [content, ...Object.values(kept)]) store.release();
  };
  const activity = createActivity(createCollector(usageParts, options.gc ?? {}), letGo);
  const history = openHistory({ directory: at("history"), now: options.now, ...options.history });
  return {
    root: options.root,
    history,
    async info(call) {
      const platforms = options.platforms ?? (await (await executor()).platforms(call));
      const labels = {
        "org.mobyproject.buildkit.worker.executor": "oci",
        "org.mobyproject.buildkit.worker.snapshotter": snapshotterLabels[snapshotter.name],
      };
      const gc = gcRules(options.gc ?? {}, diskSpace(options.root).total);
      const { version } = options;
      return { name: "embedded", version, platforms, labels, gc, devices: devices.list() };
    },
    build(request, session, call) {
      const start = (hear?: Hear) =>
        activity.during(startBuild(request, session, parts, call, hear), call);
      return request.plan ? start() : history.record(request, start);
    },
    runImage: (request, session, call) =>
      actingFor(session, () =>
        runImage(request, { images, snapshotter, executor, entitlements }, session, call),
      ),
    diskUsage: (call) => diskUsage(usageParts, call),
    prune: (filter, call) => prune(filter, usageParts, call),
    verify: (call) => verifyStore(usageParts, results.opens, call),
    async [Symbol.asyncDispose]() {
      await activity.ended();
      letGo();
      // A step that was expected may have begun to open it without anybody waiting.
      await executor.opened()?.catch(() => {});
      await owned[Symbol.asyncDispose]();
    },
  };
}

/** One client for each asking side, since credentials are its own; `insecure` ones are apart. */
function createRegistries(options: EngineOptions) {
  const clients = new WeakMap<Session, Map<boolean, Registry>>();
  /** The clients behind those that also know layouts. */
  const whole = new WeakMap<Registry, RegistryClient>();
  const of = (
    session: Session,
    { insecure }: { readonly insecure: boolean } = { insecure: false },
  ): Registry => {
    const known = clients.get(session) ?? new Map<boolean, Registry>();
    clients.set(session, known);
    const open = () =>
      createRegistry({
        credentials: (host, call) => session.credentials(host, call),
        token: async (wanted, call) => await session.token?.(wanted, call),
        hosts: options.hosts,
        userAgent: `kiln/${options.version}`,
        ...(insecure ? { insecure } : {}),
      });
    const kept = known.get(insecure);
    const opened = kept ? undefined : open();
    const client = kept ?? withLayouts(opened as RegistryClient, session);
    if (opened) whole.set(client, opened);
    known.set(insecure, client);
    return client;
  };
  return {
    of,
    listing: (registry: Registry, repository: string) => whole.get(registry)?.listing(repository),
    /** For layers that an earlier build left where they were: with what whoever builds now has to get them. */
    current(): Registry {
      const session = actor();
      if (session) return of(session as Session);
      throw new Error("a layer was asked for outside of any build");
    },
  };
}

/** The scratch result has no snapshot; it is remembered by a word that is no snapshot's id. */
const scratchId = "scratch";

function snapshotResults(snapshotter: Snapshotter) {
  const load = async (id: string): Promise<{ readonly result: OpResult } | undefined> => {
    if (id === scratchId) return { result: undefined };
    const result = await snapshotter.open(id, uncancelled);
    return result && { result };
  };
  return {
    load,
    /** Whether it is still there. */
    async opens(id: string): Promise<boolean> {
      const loaded = await load(id);
      await loaded?.result?.[Symbol.asyncDispose]();
      return loaded !== undefined;
    },
    // Views of the asking side's directory are made anew by every build.
    save: async (result: OpResult) => (result?.tree ? undefined : (result?.id ?? scratchId)),
  };
}

/** Opens at the first call, once; `opened` has what was opened, and opens nothing. */
function lazily<T>(
  open: () => Promise<T>,
): (() => Promise<T>) & { opened(): Promise<T> | undefined } {
  let opened: Promise<T> | undefined;
  const get = () => {
    opened ??= open();
    return opened;
  };
  return Object.assign(get, { opened: () => opened });
}
