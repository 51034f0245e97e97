// Places that caches travel through: one interface for registries, directories, CI services and object stores.
import type { Attrs, Session, StepCall } from "../../../api/index.ts";
import type { Bytes, Call, Digest } from "../../../base/index.ts";
import type { CacheConfig } from "../../../formats/cacheconfig/index.ts";
import type { Descriptor } from "../../../formats/oci/index.ts";
import type { LayerBlob } from "../../../storage/snapshot/index.ts";

/** A cache that was found somewhere. Its layers stay there until somebody needs their files. */
export interface ImportedCache {
  readonly config: CacheConfig;
  /** By blob; a result with another layer cannot be used. */
  readonly layers: ReadonlyMap<Digest, LayerBlob>;
  has(blob: Descriptor, call: Call): Promise<boolean>;
  read(blob: Descriptor, call: Call): Bytes;
  /** Normalised, where the layers are a registry's: they need not be fetched as long as it has them. */
  readonly repository?: string;
}

/** A layer on its way out. */
export interface OutgoingLayer extends LayerBlob {
  readonly createdAt: Date;
}

/** All that is to be written. */
export interface OutgoingCache {
  readonly config: CacheConfig;
  /** In the order of the configuration's layers; the same blob may be there more than once. */
  readonly layers: readonly OutgoingLayer[];
  read(blob: Descriptor, call: Call): Bytes;
  /** Repositories that have the blob already, for mounting. */
  repositories(blob: Digest): readonly string[];
}

export interface CacheBackend {
  readonly type: string;
  /** Where a cache is, for people: a name, a directory. */
  place(attrs: Attrs): string;
  /** Empty where there is no cache yet. Throws for attributes that make no sense and places that cannot be reached. */
  import(attrs: Attrs, session: Session, call: Call): Promise<readonly ImportedCache[]>;
  /** Answers with what is to be told of it. */
  export(cache: OutgoingCache, attrs: Attrs, session: Session, call: StepCall): Promise<Attrs>;
}

/** Distinct blobs, in order. */
export function distinctLayers(cache: OutgoingCache): readonly OutgoingLayer[] {
  const seen = new Map(cache.layers.map((layer) => [layer.descriptor.digest, layer] as const));
  return [...seen.values()];
}
