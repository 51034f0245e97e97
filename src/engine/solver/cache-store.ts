// Which results were seen for which keys. Disk, memory and registry implement it; one contract test for all.
import type { Call, Digest } from "../../base/index.ts";

/** Names the result of one (step, inputs, output) combination; equal ids are the same work. */
export type CacheKeyId = string;

/** A result that can be loaded again. */
export interface CacheRecord {
  readonly id: string;
  readonly createdAt: Date;
}

/** How a key is reached from one input's key: step digest, position and selector. */
export interface CacheLink {
  readonly step: Digest;
  readonly input: number;
  readonly output: number;
  readonly selector?: Digest;
}

/** What is remembered of a step that has run. */
export interface CacheEntry {
  readonly key: CacheKeyId;
  /** All ways that lead to the key: from each name of each input, and from the digest of each input's content. */
  readonly links: readonly { readonly from: CacheKeyId; readonly link: CacheLink }[];
  readonly createdAt: Date;
  /** What to tell people who ask why a later step did not match: the vertex, and the step without its inputs. */
  readonly name: string;
  readonly vertex: Digest;
  readonly step: Digest;
  readonly output: number;
}

/** What a store found under a record's id; a result may itself be undefined. */
export interface LoadedResult<Result> {
  readonly result: Result;
}

/**
 * A graph of keys: a step's key is found by following, from a key of each input, the link that says "this step, this
 * input, this output". Content digests are linked in the same way, which is how equal content is found under other
 * history. Keys of steps without inputs are computed, not looked up. The solver treats every failure as a miss.
 */
export interface CacheStore<Result> {
  readonly id: string;
  /** Keys reached from `from` by `link`. */
  query(from: CacheKeyId, link: CacheLink, call: Call): Promise<readonly CacheKeyId[]>;
  /** Newest first; they may have gone when it comes to loading them. */
  records(key: CacheKeyId, call: Call): Promise<readonly CacheRecord[]>;
  /** Undefined when the result has gone meanwhile: the caller runs the step instead. The caller owns the result. */
  load(record: CacheRecord, call: Call): Promise<LoadedResult<Result> | undefined>;
  /** Remembers the key, its links and the (lent) result, all or nothing. Results that cannot be kept leave the links. */
  save(entry: CacheEntry, result: Result, call: Call): Promise<CacheRecord | undefined>;
}
