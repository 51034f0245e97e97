// One vertex of the graph that all jobs share: its op, what its inputs turned out to be, and its one execution.
import { type Call, delay, uncancelled } from "../../base/index.ts";
import { Audience, type Listener } from "./audience.ts";
import type { CacheEntry, CacheKeyId, CacheStore } from "./cache-store.ts";
import { EdgeState } from "./edge-state.ts";
import {
  contentKey,
  contentLink,
  edgeKey,
  type InputKeys,
  isFresh,
  linkOf,
  stepKey,
} from "./keys.ts";
import { LastingWork } from "./lasting-work.ts";
import type { CacheMap, Op, SolverOptions, StepFact, Vertex } from "./types.ts";

/** What every vertex of a solver is given. */
export interface Surroundings<Def, Result> {
  readonly options: SolverOptions<Def, Result>;
  /** Never fails: see `advisory()`. */
  readonly cache: CacheStore<Result>;
  /** Who executes what, for vertices that turn out to be the same work. */
  readonly executing: Map<CacheKeyId, VertexState<Def, Result>>;
}

/** All that has to be known before a step is run. */
export interface Ready<Result> {
  readonly map: CacheMap<Result>;
  readonly inputs: readonly InputKeys[];
  /** Lent by the inputs' vertices. */
  readonly results: readonly Result[];
  readonly key: CacheKeyId;
}

export class VertexState<Def, Result> {
  readonly vertex: Vertex<Def>;
  /** Equal identities are equal work; jobs that ignore the cache have identities of their own. */
  readonly identity: string;
  readonly inputs: readonly EdgeState<Def, Result>[];
  readonly around: Surroundings<Def, Result>;
  readonly audience: Audience<Def, Result>;
  readonly cacheMap: LastingWork<CacheMap<Result>>;
  readonly ready: LastingWork<Ready<Result>>;
  readonly outputs: LastingWork<readonly Result[]>;
  readonly #contents: readonly LastingWork<CacheKeyId>[];
  readonly #edges = new Map<number, EdgeState<Def, Result>>();
  #followers = 0;
  #mergeKey: CacheKeyId | undefined;
  #closing: Promise<void> | undefined;

  constructor(
    vertex: Vertex<Def>,
    identity: string,
    inputs: readonly EdgeState<Def, Result>[],
    around: Surroundings<Def, Result>,
  ) {
    this.vertex = vertex;
    this.identity = identity;
    this.inputs = inputs;
    this.around = around;
    this.audience = new Audience(this, around.options);
    this.cacheMap = new LastingWork(this.audience.demand, (call) => this.#findCacheMap(call));
    this.ready = new LastingWork(this.audience.demand, (call) => this.#makeReady(call));
    this.outputs = new LastingWork(this.audience.demand, (call) => this.#findOutputs(call));
    this.#contents = inputs.map(
      (_, input) => new LastingWork(this.audience.demand, (call) => this.#findContent(input, call)),
    );
  }

  get ignoreCache(): boolean {
    return this.vertex.ignoreCache ?? false;
  }

  edge(output: number): EdgeState<Def, Result> {
    const edge = this.#edges.get(output) ?? new EdgeState(this, output);
    this.#edges.set(output, edge);
    return edge;
  }

  /** The name that an input's content has; only for inputs whose cache map offers a content digest. */
  content(input: number, call: Call): Promise<CacheKeyId> {
    const content = this.#contents[input];
    if (!content) throw new Error(`step has no input ${input}`);
    return content.get(call);
  }

  /** The step will most likely run: the cache has nothing for it. */
  expect(): void {
    this.audience.owner().op.prepare?.();
  }

  /** Resolves when results that nobody else uses have been let go. */
  async leave(job: Listener<Def, Result>): Promise<void> {
    this.audience.leave(job);
    await this.#closeIfUnused();
  }

  /** Lets go of the vertex's work; without any demand it is cancelled. */
  removeDemand(job: Listener<Def, Result>): void {
    if (!this.audience.removeDemand(job)) return;
    // Who has seen a failure is gone; the next to come may have better luck.
    const works = [this.cacheMap, this.ready, this.outputs, ...this.#contents];
    for (const work of works) work.forgetFailure();
    for (const edge of this.#edges.values()) edge.forgetFailure();
  }

  /** Tells who listens what has come out about the step. */
  trace(
    stage: StepFact["stage"],
    key: CacheKeyId,
    map: CacheMap<Result>,
    inputs: readonly InputKeys[],
  ): void {
    this.audience.trace({
      stage,
      key,
      ignoresCache: this.ignoreCache,
      step: map.digest,
      inputs: inputs.map(({ names, fresh, content }, index) => {
        const listing = map.inputs[index]?.listing;
        return {
          names,
          fresh,
          ...(content === undefined ? {} : { content }),
          ...(listing ? { listing } : {}),
        };
      }),
    });
  }

  async #findCacheMap(call: Call): Promise<CacheMap<Result>> {
    return await this.#attempt(call, (op) => {
      // What a source does to find its key (asking a registry, reading a directory) is worth showing.
      if (this.inputs.length === 0) this.audience.announce("started");
      return op.cacheMap(this.audience.stepCall(call));
    });
  }

  async #findContent(input: number, call: Call): Promise<CacheKeyId> {
    const map = await this.cacheMap.get(call);
    const outcome = await this.inputs[input]?.outcome.get(call);
    const digest = map.inputs[input]?.contentDigest;
    if (!outcome || !digest) throw new Error(`input ${input} has no content digest`);
    return contentKey(await this.#attempt(call, () => digest(outcome.result, call)));
  }

  async #makeReady(call: Call): Promise<Ready<Result>> {
    const map = await this.cacheMap.get(call);
    const inputs = await Promise.all(
      this.inputs.map(async (input, index) => {
        const { keys, result } = await input.outcome.get(call);
        const content = map.inputs[index]?.contentDigest && (await this.content(index, call));
        return { result, keys: { ...keys, ...(content === undefined ? {} : { content }) } };
      }),
    );
    const keys = inputs.map((input) => input.keys);
    return {
      map,
      inputs: keys,
      results: inputs.map((input) => input.result),
      key: stepKey(map, keys),
    };
  }

  async #findOutputs(call: Call): Promise<readonly Result[]> {
    const ready = await this.ready.get(call);
    this.trace("run", edgeKey(ready.key, 0), ready.map, ready.inputs);
    const { executing } = this.around;
    const apart = this.ignoreCache || this.vertex.apart === "work" || isFresh(ready.inputs);
    // The identity of such a vertex is its job's; others that do not share its work must not get its result.
    const key = apart ? `${ready.key}@${this.identity}` : ready.key;
    for (;;) {
      const other = executing.get(key);
      if (!other || other === this) break;
      const outputs = await this.#borrow(other, call);
      if (outputs) return outputs;
      if (executing.get(key) === other) executing.delete(key);
    }
    executing.set(key, this);
    this.#mergeKey = key;
    const { turns } = this.around.options;
    if (apart || !turns) return await this.#execute(ready, call);
    using _turn = await turns.take(key, this.audience.stepCall(call));
    // Another process may have ended this step between the look into the cache and the turn.
    return (await this.#loadOutputs(ready, call)) ?? (await this.#execute(ready, call));
  }

  /** What somebody else has made meanwhile; undefined unless it is all that is asked for here. */
  async #loadOutputs(ready: Ready<Result>, call: Call): Promise<readonly Result[] | undefined> {
    const { cache, options } = this.around;
    const loaded: Result[] = [];
    for (;;) {
      const [newest] = await cache.records(edgeKey(ready.key, loaded.length), call);
      const found = newest && (await cache.load(newest, call));
      if (!found) break;
      loaded.push(found.result);
    }
    if (loaded.length > Math.max(...this.#edges.keys())) {
      this.audience.announce("cached");
      return loaded;
    }
    await Promise.all(loaded.map((result) => options.release(result)));
    return undefined;
  }

  async #borrow(
    other: VertexState<Def, Result>,
    call: Call,
  ): Promise<readonly Result[] | undefined> {
    this.audience.announce("started");
    try {
      const outputs = await other.#lend(this, call);
      if (outputs) this.audience.announce("done");
      return outputs;
    } catch (error) {
      call.signal.throwIfAborted();
      this.audience.announce("failed", error);
      throw error;
    }
  }

  async #execute(ready: Ready<Result>, call: Call): Promise<readonly Result[]> {
    const { options } = this.around;
    call.signal.throwIfAborted();
    // Whoever lends the inputs may leave while somebody else still waits for the outputs.
    const inputs = ready.results.map((result) => options.clone(result));
    let outputs: readonly Result[];
    try {
      outputs = await this.#attempt(call, async (op) => {
        await using _permit = await op.acquire(call);
        this.audience.announce("started");
        return await op.exec(inputs, this.audience.stepCall(call));
      });
    } finally {
      await Promise.all(inputs.map((input) => options.release(input)));
    }
    await Promise.all(outputs.map((result, output) => this.#save(ready, output, result)));
    this.audience.announce("done");
    return outputs;
  }

  async #save(ready: Ready<Result>, output: number, result: Result): Promise<void> {
    const { name, digest } = this.vertex;
    const entry = this.entryFor(edgeKey(ready.key, output), ready.map, ready.inputs, output);
    const step = { name, vertex: digest, step: ready.map.digest, output };
    // Not to be interrupted: the work is done, and its results must not be lost.
    await this.around.cache.save(entry, step, result, uncancelled);
  }

  /** All ways that lead to `key`, which is this vertex's on these inputs. */
  entryFor(
    key: CacheKeyId,
    map: CacheMap<Result>,
    inputs: readonly InputKeys[],
    output: number,
  ): CacheEntry {
    const links = inputs.flatMap(({ names, content }, input) => {
      const link = linkOf(map, input, output);
      const ways = names.map((from) => ({ from, link }));
      return content === undefined ? ways : [...ways, { from: content, link: contentLink(link) }];
    });
    return { key, links, at: this.around.options.now() };
  }

  /** Copies of the outputs for a vertex that is the same work; undefined when it has to do it itself after all. */
  async #lend(
    follower: VertexState<Def, Result>,
    call: Call,
  ): Promise<readonly Result[] | undefined> {
    this.audience.demand.add(follower.audience);
    this.#followers++;
    try {
      const outputs = await this.outputs.running(call);
      return outputs?.value.map((result) => this.around.options.clone(result));
    } catch (error) {
      // Perhaps it failed because the job that it was done for went away.
      if (call.signal.aborted || this.audience.isWanted) throw error;
      return undefined;
    } finally {
      this.audience.demand.remove(follower.audience);
      this.#followers--;
      await this.#closeIfUnused();
    }
  }

  /**
   * Does work of the op. Where it fails because the job that it was done for has left, meanwhile others still want it, it
   * is done again for the next of them.
   */
  async #attempt<T>(call: Call, work: (op: Op<Result>) => Promise<T>): Promise<T> {
    for (;;) {
      const owner = this.audience.owner();
      try {
        return await work(owner.op);
      } catch (error) {
        call.signal.throwIfAborted();
        // What a job lends ends a moment before the job does.
        const { farewell } = this.around.options;
        if (farewell && this.audience.isShared) await delay(farewell, call);
        if (this.audience.isWanted && this.audience.owner() !== owner) continue;
        this.audience.announce("failed", error);
        throw error;
      }
    }
  }

  #forgetExecution(): void {
    const { executing } = this.around;
    if (this.#mergeKey !== undefined && executing.get(this.#mergeKey) === this) {
      executing.delete(this.#mergeKey);
    }
  }

  async #closeIfUnused(): Promise<void> {
    if (!this.audience.isEmpty || this.#followers > 0) return;
    this.#closing ??= this.#close();
    await this.#closing;
  }

  async #close(): Promise<void> {
    this.#forgetExecution();
    const { release } = this.around.options;
    const works = [this.cacheMap, this.ready, ...this.#contents];
    await Promise.all(works.map((work) => work.settle()));
    const owned = await Promise.all([...this.#edges.values()].map((edge) => edge.settle()));
    const outputs = await this.outputs.settle();
    await Promise.all(
      [...owned.flat(), ...(outputs?.value ?? [])].map((result) => release(result)),
    );
  }
}
