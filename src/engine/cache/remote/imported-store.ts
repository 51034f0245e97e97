// A cache that came from elsewhere, as a store to look things up in: nothing is ever written to it.
import { type Digest, digestHex, digestOf, KilnError } from "../../../base/index.ts";
import {
  type CacheConfig,
  type CacheResult,
  layersOf,
} from "../../../formats/cacheconfig/index.ts";
import type { CacheKeyId, CacheLink, CacheRecord } from "../../solver/index.ts";

/** What leads to a key. */
export interface ImportedWay {
  readonly from: CacheKeyId;
  readonly input: number;
  readonly selector: string;
}

export interface ImportedKey {
  readonly name: CacheKeyId;
  /** Of step and output together (BuildKit's root key). */
  readonly digest: Digest;
  readonly ways: readonly ImportedWay[];
  readonly records: readonly ImportedRecord[];
}

export interface ImportedRecord extends CacheRecord {
  /** Oldest first, indexes into the document's layers. */
  readonly layers: readonly number[];
}

/** Keys of a document, by name. */
export interface ImportedKeys {
  readonly keys: ReadonlyMap<CacheKeyId, ImportedKey>;
  /** By the id of a result, the key that it is of. */
  readonly owners: ReadonlyMap<string, CacheKeyId>;
  follow(from: CacheKeyId, link: CacheLink): readonly CacheKeyId[];
}

/** The graph's name for a step's output, whatever leads to it. */
export function outputDigest(step: Digest, output: number): Digest {
  return digestOf(`${step}@${output}`);
}

/**
 * Names the records: one without inputs by its digest, as the solver does; others by digest and inputs, so that the same
 * record has the same name in every build. `prefix` makes the ids of results. Throws `CACHE_INVALID` for circles.
 */
export function readImportedKeys(config: CacheConfig, prefix: string): ImportedKeys {
  const names = nameRecords(config);
  const keys = new Map<CacheKeyId, ImportedKey>();
  const links = new Map<string, Set<CacheKeyId>>();
  const owners = new Map<string, CacheKeyId>();
  for (const [at, record] of config.records.entries()) {
    const name = names[at] ?? "";
    const ways = record.inputs.flatMap((inputs, input) =>
      inputs.map(({ link, selector }) => ({ from: names[link] ?? "", input, selector })),
    );
    for (const { from, input, selector } of ways) {
      const way = wayOf(from, record.digest, input, selector);
      links.set(way, (links.get(way) ?? new Set()).add(name));
    }
    const records = record.results.map((result, i) =>
      toRecord(config, result, `${prefix}${at}.${i}`),
    );
    for (const { id } of records) owners.set(id, name);
    const known = keys.get(name)?.records ?? [];
    keys.set(name, { name, digest: record.digest, ways, records: [...known, ...records] });
  }
  return {
    keys,
    owners,
    follow(from, { step, input, output, selector = "" }) {
      return [...(links.get(wayOf(from, outputDigest(step, output), input, selector)) ?? [])];
    },
  };
}

function toRecord(config: CacheConfig, result: CacheResult, id: string): ImportedRecord {
  const createdAt = new Date(result.createdAt ?? 0);
  return { id, createdAt, layers: layersOf(config, result) };
}

function wayOf(from: CacheKeyId, digest: Digest, input: number, selector: string): string {
  return `${from} ${digest} ${input} ${selector}`;
}

/** Inputs before users, with a stack of its own: chains may be deeper than the call stack. */
function nameRecords({ records }: CacheConfig): readonly CacheKeyId[] {
  const names: CacheKeyId[] = [];
  const open = new Set<number>();
  for (const start of records.keys()) {
    const stack = [start];
    for (let at = stack.at(-1); at !== undefined; at = stack.at(-1)) {
      if (names[at] !== undefined) {
        stack.pop();
        continue;
      }
      const record = records[at];
      if (!record) break;
      const missing = record.inputs.flat().filter(({ link }) => names[link] === undefined);
      if (missing.length === 0) {
        names[at] = nameOf(record, names);
        open.delete(at);
        stack.pop();
        continue;
      }
      if (open.has(at) || missing.some(({ link }) => link === at)) {
        throw new KilnError("CACHE_INVALID", "the cache's records lead to themselves");
      }
      open.add(at);
      for (const { link } of missing) stack.push(link);
    }
  }
  return names;
}

function nameOf(
  { digest, inputs }: CacheConfig["records"][number],
  names: readonly CacheKeyId[],
): CacheKeyId {
  if (inputs.length === 0) return digestHex(digest);
  const parts = inputs.map((links) =>
    links.map(({ link, selector }) => `${names[link]} ${selector}`).sort(),
  );
  return `i${digestHex(digestOf(JSON.stringify([digest, parts])))}`;
}
