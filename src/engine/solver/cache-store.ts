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

/** A key with ways that lead to it: from a name of an input, or from the digest of an input's content. */
export interface CacheEntry {
  readonly key: CacheKeyId;
  readonly links: readonly { readonly from: CacheKeyId; readonly link: CacheLink }[];
  readonly at: Date;
}

/** What is remembered of a result besides its key, for people who ask why a later step did not match. */
export interface CachedStep {
  readonly name: string;
  readonly vertex: Digest;
  /** The step without its inputs: `CacheMap.digest`. */
  readonly step: Digest;
  readonly output: number;
}

/** What a store found; the result itself may be undefined. */
export interface LoadedResult<Result> {
  readonly result: Result;
}

/** Where a cache store leaves results, by names that it can write down. */
export interface ResultStorage<Result> {
  /** Undefined when this result cannot be kept. The result is lent. */
  save(result: Result): Promise<string | undefined>;
  /** Undefined when it has gone. The caller owns the result. */
  load(id: string): Promise<LoadedResult<Result> | undefined>;
}

/**
 * A graph of keys: a step's key is found by following, from a key of each input, the link that says "this step, this
 * input, this output". Content digests are linked in the same way, which is how equal content is found under other
 * history. Keys of steps without inputs are computed, not looked up. The solver treats every failure as a miss.
 */
export interface CacheStore<Result> {
  readonly id: string;
  /** Keys reached from `from` by `link`, the latest linked first. */
  query(from: CacheKeyId, link: CacheLink, call: Call): Promise<readonly CacheKeyId[]>;
  /** Newest first; they may have gone when it comes to loading them. */
  records(key: CacheKeyId, call: Call): Promise<readonly CacheRecord[]>;
  /** Undefined when the result has gone meanwhile: the caller runs the step instead. The caller owns the result. */
  load(record: CacheRecord, call: Call): Promise<LoadedResult<Result> | undefined>;
  /** Adds ways to a key that is known; those that exist become the latest. */
  link(entry: CacheEntry, call: Call): Promise<void>;
  /** Remembers key, links and the (lent) result, all or nothing; of a result that cannot be kept, only the links. */
  save(entry: CacheEntry, step: CachedStep, result: Result, call: Call): Promise<void>;
}
