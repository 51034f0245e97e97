// The embedded builder: what can be asked of it, answered by the parts that its options ask for.
import type { Builder, Session } from "../api/index.ts";
import { AsyncStack, actingFor, type Call, tellActorsApart } from "../base/index.ts";
import { createBuildParts, type EngineOptions, openStores, usageParts } from "./assembly/index.ts";
import { type RunImageRequest, runImage, startBuild } from "./build/index.ts";
import { type Hear, openHistory } from "./history/index.ts";
import { gcRules } from "./retention/index.ts";
import {
  createActivity,
  createCollector,
  diskSpace,
  diskUsage,
  prune,
  verifyStore,
} from "./usage/index.ts";

export type { EngineOptions } from "./assembly/index.ts";
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
  const stores = await openStores(options, owned);
  const { parts, devices, results, steps } = createBuildParts(stores, options, owned);
  const used = usageParts(stores, steps, options);
  const { snapshotter, images, executor, entitlements } = parts;
  const gc = options.gc ?? {};
  const activity = createActivity(createCollector(used, gc), stores.letGo);
  const history = openHistory({
    directory: stores.at("history"),
    now: options.now,
    ...options.history,
  });
  return {
    root: options.root,
    history,
    async info(call) {
      const platforms = options.platforms ?? (await (await executor()).platforms(call));
      const labels = {
        "org.mobyproject.buildkit.worker.executor": "oci",
        "org.mobyproject.buildkit.worker.snapshotter": snapshotterLabels[stores.snapshotter.name],
      };
      const rules = gcRules(gc, diskSpace(options.root).total);
      const { version } = options;
      return { name: "embedded", version, platforms, labels, gc: rules, devices: devices.list() };
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
    diskUsage: (call) => diskUsage(used, call),
    prune: (filter, call) => prune(filter, used, call),
    verify: (call) => verifyStore(used, results.opens, call),
    async [Symbol.asyncDispose]() {
      await activity.ended();
      stores.letGo();
      // A step that was expected may have begun to open it without anybody waiting.
      await parts.runningExecutor()?.catch(() => {});
      await owned[Symbol.asyncDispose]();
    },
  };
}
