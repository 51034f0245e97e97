// What builds are made of: solver, steps, caches, frontends, exporters, put together on opened stores.
import type { AsyncStack } from "../../base/index.ts";
import { hostPlatform } from "../../formats/oci/index.ts";
import { createNamedLocks } from "../../storage/kept/index.ts";
import { allEntitlements, type BuildParts, SharedPins } from "../build/index.ts";
import { createTurns } from "../cache/index.ts";
import { CdiDevices, createProcessSlots, type Executor, openExecutor } from "../executor/index.ts";
import { openStepHistory, type StepHistory } from "../explain/index.ts";
import { createExporters, createPacker } from "../exporter/index.ts";
import { createFrontends } from "../frontend/index.ts";
import { createEarlierCopies, createOp, type OpParts, openCacheMounts } from "../ops/index.ts";
import { createSolver } from "../solver/index.ts";
import { openCaches, type Results } from "./caches.ts";
import type { EngineOptions } from "./options.ts";
import { createSources } from "./sources.ts";
import type { Stores } from "./stores.ts";

/** Milliseconds between the end of what a client lent and the end of its build. */
const farewell = 100;

/** What must be closed, also when it is opened later, goes onto `owned`. */
export function createBuildParts(
  stores: Stores,
  options: EngineOptions,
  owned: AsyncStack,
): {
  readonly parts: BuildParts;
  readonly devices: CdiDevices;
  readonly results: Results;
  readonly steps: StepHistory;
} {
  const { at, content, snapshotter, records, origins, registries, metadata, kept } = stores;
  const { now, manyClients = false } = options;
  const executor = lazily(async () => owned.use(await openExecutorOf(options, at("executor"))));
  const { images, sources } = createSources(stores, options, owned);
  const native = options.platforms?.[0] ?? hostPlatform(process.arch);
  const devices = new CdiDevices(options.cdi);
  const opParts: OpParts = {
    snapshotter,
    executor,
    sources,
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
  const exporting = {
    ...{ content, snapshotter, records, origins },
    registry: registries.of,
    listing: registries.listing,
    directory: at("exports"),
    now,
  };
  const pack = createPacker(exporting);
  const { cache, results, remote } = openCaches(stores, options, { exporting, pack });
  const steps = openStepHistory(metadata);
  const parts: BuildParts = {
    solver: createSolver({
      op: (vertex) => createOp(vertex.def, opParts),
      cache,
      clone: (result) => result?.clone(),
      release: async (result) => result?.[Symbol.asyncDispose](),
      turns: createTurns(createNamedLocks(at("turns"), { fleeting: true }), metadata),
      ...(manyClients ? { farewell } : {}),
      now,
    }),
    frontends: createFrontends(options),
    exporters: createExporters(exporting, pack),
    caches: remote,
    images,
    snapshotter,
    containers: { executor, snapshotter, cacheMounts: opParts.cacheMounts },
    sources,
    executor,
    runningExecutor: executor.opened,
    entitlements: options.entitlements ?? allEntitlements,
    devices,
    platforms: [native],
    now,
    history: steps,
    pins: new SharedPins(),
    logs: at("logs"),
    manyClients,
    proxyNetwork: options.proxyNetwork ?? false,
  };
  return { parts, devices, results, steps };
}

function openExecutorOf(options: EngineOptions, stateDir: string): Promise<Executor> {
  const { runtime, standing, network, dns, emulators } = options;
  return openExecutor({
    stateDir,
    ...(runtime === undefined ? {} : { runtime }),
    ...(standing === undefined ? {} : { standing }),
    ...(network === undefined ? {} : { network }),
    ...(dns === undefined ? {} : { dns }),
    ...(emulators === undefined ? {} : { emulators }),
  });
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
