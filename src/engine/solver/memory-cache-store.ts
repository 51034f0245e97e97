// A cache store that lives and dies with its process: for tests, and for builds that shall leave nothing behind.
import type {
  CacheEntry,
  CacheKeyId,
  CacheLink,
  CacheRecord,
  CacheStore,
  ResultStorage,
} from "./cache-store.ts";

/** Results are kept as `results` keeps them; this store holds their names. */
export function createMemoryCacheStore<Result>(results: ResultStorage<Result>): CacheStore<Result> {
  /** By way, the keys that it leads to, the latest last. */
  const links = new Map<string, Set<CacheKeyId>>();
  /** By key, the ids of results, the newest last. */
  const records = new Map<CacheKeyId, Map<string, CacheRecord>>();
  const add = ({ key, links: ways }: CacheEntry) => {
    for (const { from, link } of ways) {
      const way = wayOf(from, link);
      const targets = links.get(way) ?? new Set();
      links.set(way, targets);
      targets.delete(key);
      targets.add(key);
    }
  };
  return {
    id: "memory",
    query: async (from, link) => [...(links.get(wayOf(from, link)) ?? [])].reverse(),
    records: async (key) => [...(records.get(key)?.values() ?? [])].reverse(),
    load: async (record) => results.load(record.id),
    link: async (entry) => add(entry),
    async save(entry, _step, result) {
      const id = await results.save(result);
      add(entry);
      if (id === undefined) return;
      const known = records.get(entry.key) ?? new Map<string, CacheRecord>();
      records.set(entry.key, known);
      known.delete(id);
      known.set(id, { id, createdAt: entry.at });
    },
  };
}

function wayOf(from: CacheKeyId, link: CacheLink): string {
  return `${from} ${link.step} ${link.input} ${link.output} ${link.selector ?? ""}`;
}
