// The cache of this machine: keys and records in the metadata store, results wherever the caller keeps them.
import type { Digest } from "../../base/index.ts";
import type { Metadata } from "../../storage/metadata/index.ts";
import type {
  CachedStep,
  CacheEntry,
  CacheKeyId,
  CacheLink,
  CacheRecord,
  CacheStore,
  ResultStorage,
} from "../solver/index.ts";

/** What is written of a result. The place of its name, `<key> <id>`, tells the rest. */
interface StoredRecord {
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly step: CachedStep;
  /** The ways that led to the key when it was saved, so that they can be told, and deleted, with the record. */
  readonly inputs: readonly {
    readonly from: CacheKeyId;
    readonly input: number;
    readonly selector?: Digest;
  }[];
}

/** Milliseconds since 1970 of the latest time that a way was found to lead to a key. */
type LinkTime = number;

/**
 * Opens the cache that `metadata` (lent) holds. Several processes may write at once: what two of them find out about the
 * same step has the same names. Each step is one transaction.
 */
export function openCacheStore<Result>({
  metadata,
  results,
}: {
  readonly metadata: Metadata;
  readonly results: ResultStorage<Result>;
}): CacheStore<Result> {
  const links = metadata.table<LinkTime>("cache-links");
  const records = metadata.table<StoredRecord>("cache-records");
  const add = ({ key, links: ways, at }: CacheEntry) => {
    for (const { from, link } of ways) links.put(`${wayOf(from, link)}${key}`, at.getTime());
  };
  return {
    id: "local",
    async query(from, link) {
      const way = wayOf(from, link);
      return links
        .range(way)
        .toSorted((a, b) => b.value - a.value)
        .map((entry) => entry.key.slice(way.length));
    },
    async records(key) {
      const prefix = `${key} `;
      return records
        .range(prefix)
        .map((entry) => toRecord(entry.key.slice(prefix.length), entry.value))
        .toSorted((a, b) => b.createdAt.getTime() - a.createdAt.getTime());
    },
    load: async (record) => results.load(record.id),
    link: async (entry) => metadata.transaction(() => add(entry)),
    async save(entry, step, result) {
      const id = await results.save(result);
      metadata.transaction(() => {
        add(entry);
        if (id !== undefined) records.put(`${entry.key} ${id}`, toStored(entry, step));
      });
    },
  };
}

/** Ends with a space, and no part holds one: no way is the beginning of another. */
function wayOf(from: CacheKeyId, link: CacheLink): string {
  return `${from} ${link.step} ${link.input} ${link.output} ${link.selector ?? "-"} `;
}

function toRecord(id: string, stored: StoredRecord): CacheRecord {
  return { id, createdAt: new Date(stored.createdAt) };
}

function toStored(entry: CacheEntry, step: CachedStep): StoredRecord {
  const inputs = entry.links.map(({ from, link }) => ({
    from,
    input: link.input,
    ...(link.selector === undefined ? {} : { selector: link.selector }),
  }));
  return { createdAt: entry.at.getTime(), step, inputs };
}
