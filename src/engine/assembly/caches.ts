// What is known of steps: the machine's own cache, and caches that travel.
import { uncancelled } from "../../base/index.ts";
import { createBlobReader } from "../../storage/image/index.ts";
import type { Snapshotter } from "../../storage/snapshot/index.ts";
import {
  createAzblobBackend,
  createCombinedStore,
  createGhaBackend,
  createLocalBackend,
  createObjectsHttp,
  createRegistryBackend,
  createRemoteCaches,
  createS3Backend,
  openCacheStore,
  type RemoteCaches,
} from "../cache/index.ts";
import { type ExporterParts, type LayerPacker, packForCache } from "../exporter/index.ts";
import type { OpResult } from "../ops/index.ts";
import type { CacheStore } from "../solver/index.ts";
import type { EngineOptions } from "./options.ts";
import type { Stores } from "./stores.ts";

/** Results by the names that the cache keeps. */
export interface Results {
  load(id: string): Promise<{ readonly result: OpResult } | undefined>;
  /** Whether it is still there. */
  opens(id: string): Promise<boolean>;
  save(result: OpResult): Promise<string | undefined>;
}

/** `exporting` and `pack`: how layers become blobs that travel. */
export function openCaches(
  { content, snapshotter, origins, otherKeys, metadata, registries }: Stores,
  { now, manyClients = false }: Pick<EngineOptions, "now" | "manyClients">,
  { exporting, pack }: { readonly exporting: ExporterParts; readonly pack: LayerPacker },
): {
  readonly cache: CacheStore<OpResult>;
  readonly results: Results;
  readonly remote: RemoteCaches;
} {
  const results = snapshotResults(snapshotter);
  const cache = createCombinedStore<OpResult>({
    local: openCacheStore<OpResult>({ metadata, results }),
    content,
    origins,
    otherKeys,
    open: (layers, call) => snapshotter.image(layers, call),
    release: async (result) => result?.[Symbol.asyncDispose](),
    apart: manyClients,
  });
  const http = createObjectsHttp();
  const remote = createRemoteCaches({
    store: cache,
    backends: [
      createRegistryBackend({ registry: registries.of }),
      createLocalBackend(),
      createGhaBackend({ http }),
      createS3Backend({ http, now }),
      createAzblobBackend({ http, now }),
    ],
    pack: (layer, options, call) => packForCache(exporting, pack, layer, options, call),
    read: (blob, session, call) =>
      createBlobReader({ content, origins, registry: registries.of(session) })(blob, call),
    repositories: (blob) => origins.repositories(blob),
  });
  return { cache, results, remote };
}

/** The scratch result has no snapshot; it is remembered by a word that is no snapshot's id. */
const scratchId = "scratch";

function snapshotResults(snapshotter: Snapshotter): Results {
  const load: Results["load"] = async (id) => {
    if (id === scratchId) return { result: undefined };
    const result = await snapshotter.open(id, uncancelled);
    return result && { result };
  };
  return {
    load,
    async opens(id) {
      const loaded = await load(id);
      await loaded?.result?.[Symbol.asyncDispose]();
      return loaded !== undefined;
    },
    // Views of the asking side's directory are made anew by every build.
    save: async (result) => (result?.tree ? undefined : (result?.id ?? scratchId)),
  };
}
