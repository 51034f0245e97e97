// All that the engine keeps on disk, opened.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type AsyncStack, type Call, fromNodeError } from "../../base/index.ts";
import { type ContentStore, openContentStore } from "../../storage/content/index.ts";
import {
  type BlobOrigins,
  createBlobOrigins,
  createBlobReader,
  createImageRecords,
  type ImageRecords,
  withMirrors,
} from "../../storage/image/index.ts";
import { type Kept, openKept } from "../../storage/kept/index.ts";
import { type Metadata, openMetadata } from "../../storage/metadata/index.ts";
import {
  type CollectableSnapshotter,
  type LayerBlob,
  openSnapshotter,
} from "../../storage/snapshot/index.ts";
import { createOtherKeys, type OtherKeys } from "../cache/index.ts";
import type { EngineOptions } from "./options.ts";
import { createRegistries, type Registries } from "./registries.ts";

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

/** What is kept, and the registries that it can be fetched from. */
export interface Stores {
  /** Absolute path of one of the places. */
  at(place: keyof typeof places): string;
  readonly content: ContentStore;
  readonly registries: Registries;
  readonly records: ImageRecords;
  readonly origins: BlobOrigins;
  readonly otherKeys: OtherKeys;
  readonly snapshotter: CollectableSnapshotter;
  readonly metadata: Metadata;
  readonly kept: Readonly<Record<"cacheMounts" | "repositories" | "statIndexes" | "copies", Kept>>;
  /** Tells other processes that nothing is held here any more. */
  letGo(): void;
}

/** Makes what is missing; what must be closed goes onto `owned`. */
export async function openStores(options: EngineOptions, owned: AsyncStack): Promise<Stores> {
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
  const letGo = () => {
    for (const store of [content, ...Object.values(kept)]) store.release();
  };
  const otherKeys = createOtherKeys();
  return {
    at,
    content,
    registries,
    records,
    origins,
    otherKeys,
    snapshotter,
    metadata,
    kept,
    letGo,
  };
}
