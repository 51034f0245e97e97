// Which results were seen for which keys. Disk, memory and registry implement it; one contract test for all.
import type { Call, Digest } from "../../base/index.ts";

/** Names one (step, inputs) combination; equal ids are the same work. */
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

/**
 * A graph of keys: a step's key is found by following, from the key of each input, the link that says "this step, this
 * input, this output". Content keys are linked in the same way, which is how equal content is found under other history.
 */
export interface CacheStore<Result> {
  readonly id: string;
  /** Keys reached from `from` by `link`; `from` undefined asks for a step without inputs. */
  query(from: CacheKeyId | undefined, link: CacheLink, call: Call): Promise<readonly CacheKeyId[]>;
  /** Newest first; records whose result is gone are dropped on the way. */
  records(key: CacheKeyId, call: Call): Promise<readonly CacheRecord[]>;
  /** Undefined when the result has gone meanwhile: the caller runs the step instead. */
  load(record: CacheRecord, call: Call): Promise<Result | undefined>;
  link(from: CacheKeyId | undefined, link: CacheLink, to: CacheKeyId, call: Call): Promise<void>;
  save(key: CacheKeyId, result: Result, call: Call): Promise<CacheRecord | undefined>;
}
