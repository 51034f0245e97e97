// The cache of this machine: keys and records in the metadata store, results wherever the caller keeps them.
import { type Digest, digestOf } from "../../base/index.ts";
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

const linkTable = "cache-links";
const recordTable = "cache-records";

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
}): CacheStore<Result> & { backlinks(): Backlinks } {
  const links = metadata.table<LinkTime>(linkTable);
  const records = metadata.table<StoredRecord>(recordTable);
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
    backlinks: () => readBacklinks(links.range("")),
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

/** A way that leads to a key, seen from the key. */
export interface Backlink {
  readonly from: CacheKeyId;
  readonly input: number;
  /** Empty for none. */
  readonly selector: string;
  /** Of the step and its output. */
  readonly digest: Digest;
}

/** By the key that the ways lead to. */
export type Backlinks = ReadonlyMap<CacheKeyId, readonly Backlink[]>;

function readBacklinks(entries: readonly { readonly key: string }[]): Backlinks {
  const found = new Map<CacheKeyId, Backlink[]>();
  for (const { key } of entries) {
    const [from = "", step = "", input, output, selector, to = ""] = key.split(" ");
    const digest = digestOf(`${step}@${output}`);
    const way = {
      from,
      input: Number(input),
      selector: selector === "-" ? "" : `${selector}`,
      digest,
    };
    const known = found.get(to);
    if (known) known.push(way);
    else found.set(to, [way]);
  }
  return found;
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

/** A result that the cache remembers. */
export interface RememberedResult {
  /** As `ResultStorage.save` named it. */
  readonly id: string;
  /** Of the step that made it. */
  readonly name: string;
  readonly createdAt: Date;
}

/** The cache seen as a list, for those who clear it. */
export interface CacheContents {
  list(): readonly RememberedResult[];
  /** Forgets these results, with the ways that led to nothing else. Builds that look for them run their steps again. */
  forget(ids: ReadonlySet<string>): void;
}

export function openCacheContents(metadata: Metadata): CacheContents {
  const links = metadata.table<LinkTime>(linkTable);
  const records = metadata.table<StoredRecord>(recordTable);
  const idOf = (key: string) => key.slice(key.lastIndexOf(" ") + 1);
  return {
    list: () =>
      records.range("").map(({ key, value }) => ({
        id: idOf(key),
        name: value.step.name,
        createdAt: new Date(value.createdAt),
      })),
    forget(ids) {
      metadata.transaction(() => {
        const known = records.range("");
        const gone = known.filter(({ key }) => ids.has(idOf(key)));
        if (gone.length === 0) return;
        for (const { key } of gone) records.delete(key);
        const left = known.filter(({ key }) => !ids.has(idOf(key)));
        const useful = new Set(left.map(({ key }) => key.slice(0, key.lastIndexOf(" "))));
        for (const way of deadEnds(
          links.range("").map(({ key }) => key),
          useful,
        ))
          links.delete(way);
      });
    },
  };
}

/** Ways from which no useful key can be reached. */
function deadEnds(ways: readonly string[], useful: ReadonlySet<string>): readonly string[] {
  const into = new Map<string, { readonly way: string; readonly from: string }[]>();
  for (const way of ways) {
    const key = way.slice(way.lastIndexOf(" ") + 1);
    const from = way.slice(0, way.indexOf(" "));
    into.set(key, [...(into.get(key) ?? []), { way, from }]);
  }
  const live = new Set<string>();
  const pending = [...useful];
  const reached = new Set(useful);
  for (let key = pending.pop(); key !== undefined; key = pending.pop()) {
    for (const { way, from } of into.get(key) ?? []) {
      live.add(way);
      if (!reached.has(from)) pending.push(from);
      reached.add(from);
    }
  }
  return ways.filter((way) => !live.has(way));
}
