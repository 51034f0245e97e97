// The generic solver's vocabulary. Containers are unknown here: results can be integers, and in the tests they are.
import type { BuildEvent, ProgressGroup, StepCall } from "../../api/index.ts";
import type { Call, Digest } from "../../base/index.ts";
import type { CacheKeyId, CacheStore } from "./cache-store.ts";

/** One piece of work of a definition. */
export interface Vertex<Def> {
  /** Checksum of the definition with all its inputs: equal digests are the same work. */
  readonly digest: Digest;
  readonly name: string;
  readonly def: Def;
  readonly inputs: readonly Edge<Def>[];
  /** Runs even when cached. */
  readonly ignoreCache?: boolean;
  /**
   * Uses what its job's asking side alone has: `lookup` finds its key by itself, and shares the work behind it; `work` shares
   * no work that runs either. Results in the cache are everybody's.
   */
  readonly apart?: "lookup" | "work";
  readonly group?: ProgressGroup;
}

export interface Edge<Def> {
  readonly vertex: Vertex<Def>;
  readonly output: number;
}

/** How one vertex is cached and run. A whole container builder hides behind three methods. */
export interface Op<Result> {
  cacheMap(call: StepCall): Promise<CacheMap<Result>>;
  /**
   * Told, perhaps several times, that the step will most likely run as soon as its inputs are there: what takes long to start
   * may be started meanwhile. Must not throw; failures show when the step runs.
   */
  prepare?(): void;
  /** Waits for a free slot; disposing gives it back. */
  acquire(call: Call): Promise<AsyncDisposable>;
  /** Inputs are lent; outputs are handed over to the solver. */
  exec(inputs: readonly Result[], call: StepCall): Promise<readonly Result[]>;
}

export interface CacheMap<Result> {
  /** What this step is, apart from its inputs. */
  readonly digest: Digest;
  readonly inputs: readonly {
    /** Mixed into the input's fast key: "only /src of it matters". */
    readonly selector?: Digest;
    /** The slow key: digest of the content that matters. Asked for only when fast keys miss. */
    readonly contentDigest?: (input: Result, call: Call) => Promise<Digest>;
    /** What `contentDigest` found when it was last asked, for people. */
    readonly listing?: () => ContentListing | undefined;
  }[];
}

/** Keeps several solvers, in several processes, from running one step at the same time. */
export interface Turns {
  /**
   * Resolves when nobody else is running the step of that key; nobody will until it is disposed. Whoever had the turn
   * before may have saved the result meanwhile, also where there was nothing to wait for: the cache shows it from now on.
   */
  take(key: CacheKeyId, call: StepCall): Promise<Disposable>;
}

/** What the solver must be told of results and vertices. */
export interface SolverOptions<Def, Result> {
  op(vertex: Vertex<Def>): Op<Result>;
  readonly cache: CacheStore<Result>;
  /** Where others work on the same cache: see `Turns`. */
  readonly turns?: Turns;
  /** A second, independent hold on the same result. */
  clone(result: Result): Result;
  release(result: Result): Promise<void>;
  readonly now: () => Date;
  /** Milliseconds in which a job is gone that has lost its client: failures of shared work are judged after them. */
  readonly farewell?: number;
}

export interface Solver<Def, Result> {
  /** Jobs running at once share equal vertices. Disposing a job lets go of its results. */
  job(id: string, emit: (event: BuildEvent) => void, options?: JobOptions): Job<Def, Result>;
}

/** How one job wants its work done. */
export interface JobOptions {
  /**
   * After a failure, what does not depend on it is still done; more than one failure is an `AggregateError` of them all.
   * Without it the first failure ends the job's work.
   */
  readonly keepGoing?: boolean;
  /** Called with what the cache knows of steps, as it comes out; see `StepFact`. Must not throw. */
  readonly trace?: (fact: StepFact) => void;
}

/** What is known of one step's place in the cache: for who explains, not for who solves. */
export interface StepFact {
  readonly vertex: Digest;
  /** Its name follows from its definition; a result was found and loaded; or it has to run. In this order, if at all. */
  readonly stage: "named" | "cached" | "run";
  readonly ignoresCache: boolean;
  /** `CacheMap.digest`. */
  readonly step: Digest;
  /** The (first) name of its result. */
  readonly key: CacheKeyId;
  readonly inputs: readonly {
    readonly names: readonly CacheKeyId[];
    /** The input is newer than what the cache has under its names. */
    readonly fresh: boolean;
    readonly content?: CacheKeyId;
    readonly listing?: () => ContentListing | undefined;
  }[];
}

/** What a content digest was made of. */
export interface ContentListing {
  /** What counts of each path. */
  readonly paths: ReadonlyMap<string, string>;
  /** There are more: these are the first ones, depth first, names in order. */
  readonly isCut: boolean;
}

/** Whether the content of a step's result may be looked at: `cached` tells whether there is a result already. */
export type MayLook<Def> = (vertex: Vertex<Def>, cached: boolean) => boolean;

export interface Job<Def, Result> extends AsyncDisposable {
  /** The result is lent until the job is disposed: clone it to keep it longer. */
  build(edge: Edge<Def>, call: Call): Promise<Result>;
  /** The names that the cache knows an edge by which this job has built. */
  names(edge: Edge<Def>, call: Call): Promise<readonly CacheKeyId[]>;
  /** Of every vertex of the edge's graph, by digest: whether `build` would find it in the cache or not need it. */
  foresee(
    edge: Edge<Def>,
    mayLook: MayLook<Def>,
    call: Call,
  ): Promise<ReadonlyMap<Digest, boolean>>;
}
