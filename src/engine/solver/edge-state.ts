// One output of a vertex: by which names the cache may know it, and how its result is come by.
import type { Call } from "../../base/index.ts";
import type { CacheKeyId } from "./cache-store.ts";
import type { Foreseen } from "./foresee.ts";
import {
  type EdgeKeys,
  edgeKey,
  follow,
  type InputKeys,
  intersect,
  isFresh,
  linkOf,
  stepKey,
} from "./keys.ts";
import { LastingWork } from "./lasting-work.ts";
import type { CacheMap, StepFact } from "./types.ts";
import type { VertexState } from "./vertex-state.ts";

export interface Outcome<Result> {
  readonly keys: EdgeKeys;
  /** Lent while the job holds the vertex. */
  readonly result: Result;
  /** Whether the edge, not the vertex, has to release the result. */
  readonly loaded: boolean;
}

interface Matched<Result> {
  readonly map: CacheMap<Result>;
  readonly keys: EdgeKeys;
  /** The inputs' names from which the keys were found. */
  readonly inputs: readonly InputKeys[];
  /** Whether the keys come from the cache. */
  readonly found: boolean;
}

/**
 * Three questions, each costlier than the one before and each asked only when the last brought no hit: which names follow
 * from the definition; which from the contents of inputs (whose results are needed for that); what is the result.
 */
export class EdgeState<Def, Result> {
  readonly vertex: VertexState<Def, Result>;
  readonly outcome: LastingWork<Outcome<Result>>;
  readonly #output: number;
  readonly #fast: LastingWork<Matched<Result>>;
  readonly #probed: LastingWork<Matched<Result>>;

  constructor(vertex: VertexState<Def, Result>, output: number) {
    this.vertex = vertex;
    this.#output = output;
    this.#fast = new LastingWork(vertex.audience.demand, (call) => this.#findFast(call));
    this.#probed = new LastingWork(vertex.audience.demand, (call) => this.#probe(call));
    this.outcome = new LastingWork(vertex.audience.demand, (call) => this.#solve(call));
  }

  /** Names that follow from the definition alone. No result is loaded for them. */
  async fastKeys(call: Call): Promise<EdgeKeys> {
    return (await this.#fast.get(call)).keys;
  }

  /** Names after having looked at the contents of inputs, where that can help. This step itself is not run. */
  async probedKeys(call: Call): Promise<EdgeKeys> {
    return (await this.#probed.get(call)).keys;
  }

  /** Where the names of the inputs lead (without any, those that follow from the definition). Runs nothing. */
  async foresee(inputs: readonly InputKeys[] | undefined, call: Call): Promise<Foreseen> {
    const map = await this.vertex.cacheMap.get(call);
    const matched = inputs ? await this.#match(map, inputs, call) : await this.#fast.get(call);
    return { keys: matched.keys, cached: await this.#hasRecord(matched.keys, call) };
  }

  /** Whether names of one input lead to any key of this step. */
  async leadsOn(keys: InputKeys, index: number, call: Call): Promise<boolean> {
    const map = await this.vertex.cacheMap.get(call);
    return (await this.#follow(map, keys, index, call)).size > 0;
  }

  forgetFailure(): void {
    for (const work of [this.#fast, this.#probed, this.outcome]) work.forgetFailure();
  }

  /** Waits for what is running; returns the results that are to be released. */
  async settle(): Promise<readonly Result[]> {
    await Promise.all([this.#fast.settle(), this.#probed.settle()]);
    const outcome = await this.outcome.settle();
    return outcome?.value.loaded ? [outcome.value.result] : [];
  }

  async #findFast(call: Call): Promise<Matched<Result>> {
    const map = await this.vertex.cacheMap.get(call);
    const inputs = await Promise.all(this.vertex.inputs.map((input) => input.fastKeys(call)));
    const matched = await this.#match(map, inputs, call);
    this.#trace("named", matched, matched.keys.names[0]);
    return matched;
  }

  async #match(
    map: CacheMap<Result>,
    inputs: readonly InputKeys[],
    call: Call,
  ): Promise<Matched<Result>> {
    const fresh = this.vertex.ignoreCache || isFresh(inputs);
    if (!fresh) {
      const reached = inputs.map((input, index) => this.#follow(map, input, index, call));
      const found = intersect(await Promise.all(reached));
      if (found.length > 0)
        return { map, keys: { names: found, fresh: false }, inputs, found: true };
    }
    const own = edgeKey(stepKey(map, inputs), this.#output);
    return { map, keys: { names: [own], fresh }, inputs, found: false };
  }

  #follow(
    map: CacheMap<Result>,
    input: InputKeys,
    index: number,
    call: Call,
  ): Promise<ReadonlySet<CacheKeyId>> {
    return follow(input, linkOf(map, index, this.#output), this.vertex.around.cache, call);
  }

  /**
   * Inputs whose names lead nowhere are asked for better names, then for their contents. As soon as one input can lead
   * nowhere at all, there is nothing to be found. Results that are asked for here are needed in any case: where an input
   * leads nowhere by name, either its content brings the hit or this step has to run.
   */
  async #probe(call: Call): Promise<Matched<Result>> {
    const fast = await this.#fast.get(call);
    if (this.vertex.ignoreCache || (await this.#hasRecord(fast.keys, call))) return fast;
    const map = await this.vertex.cacheMap.get(call);
    let giveUp: () => void = () => {};
    const hopeless = new Promise<undefined>((resolve) => {
      giveUp = () => resolve(undefined);
    });
    const probing = fast.inputs.map(async (input, index) => {
      const probed = await this.#probeInput(map, input, index, call);
      if (!probed) giveUp();
      return probed ?? input;
    });
    const inputs = await Promise.race([Promise.all(probing), hopeless]);
    if (!inputs) return fast;
    const matched = await this.#matchAndLink(map, inputs, call);
    if (matched.found) return matched;
    return await this.#matchContents(map, inputs, matched, call);
  }

  /** Undefined when this input leads nowhere, whatever is done. */
  async #probeInput(
    map: CacheMap<Result>,
    fast: InputKeys,
    index: number,
    call: Call,
  ): Promise<InputKeys | undefined> {
    const leads = async (keys: InputKeys) => (await this.#follow(map, keys, index, call)).size > 0;
    if (await leads(fast)) return fast;
    const probed = (await this.vertex.inputs[index]?.probedKeys(call)) ?? fast;
    if (await leads(probed)) return probed;
    if (!map.inputs[index]?.contentDigest) return undefined;
    const withContent = { ...probed, content: await this.vertex.content(index, call) };
    return (await leads(withContent)) ? withContent : undefined;
  }

  /** Every input leads somewhere, but not to the same key: names may be of other histories of equal content. */
  async #matchContents(
    map: CacheMap<Result>,
    inputs: readonly InputKeys[],
    matched: Matched<Result>,
    call: Call,
  ): Promise<Matched<Result>> {
    const byName = inputs
      .map((input, index) => ({ input, index }))
      .filter(({ index }) => !map.inputs[index]?.contentDigest);
    const reached = await Promise.all(
      byName.map(({ input, index }) => this.#follow(map, input, index, call)),
    );
    if (byName.length > 0 && intersect(reached).length === 0) return matched;
    if (byName.length === inputs.length) return matched;
    const withContents = await Promise.all(
      inputs.map(async (input, index) => {
        if (!map.inputs[index]?.contentDigest) return input;
        return { ...input, content: await this.vertex.content(index, call) };
      }),
    );
    return await this.#matchAndLink(map, withContents, call);
  }

  async #solve(call: Call): Promise<Outcome<Result>> {
    const tried = new Set<string>();
    const fast = await this.#fast.get(call);
    const cached =
      (await this.#load(fast, tried, call)) ??
      (await this.#load(await this.#probed.get(call), tried, call));
    if (cached) return cached;
    this.vertex.expect();
    const ready = await this.vertex.ready.get(call);
    const matched = await this.#matchAndLink(ready.map, ready.inputs, call);
    const late = await this.#load(matched, tried, call);
    if (late) return late;
    const outputs = await this.vertex.outputs.get(call);
    if (this.#output >= outputs.length) throw new Error(`step has no output ${this.#output}`);
    const own = edgeKey(ready.key, this.#output);
    const others = matched.found ? matched.keys.names.filter((name) => name !== own) : [];
    const keys = { names: [own, ...others], fresh: matched.keys.fresh };
    return { keys, result: outputs[this.#output] as Result, loaded: false };
  }

  async #hasRecord({ names, fresh }: EdgeKeys, call: Call): Promise<boolean> {
    if (fresh) return false;
    for (const name of names) {
      if ((await this.vertex.around.cache.records(name, call)).length > 0) return true;
    }
    return false;
  }

  #trace(stage: StepFact["stage"], { map, inputs }: Matched<Result>, name = ""): void {
    if (this.#output === 0) this.vertex.trace(stage, name, map, inputs);
  }

  async #load(
    matched: Matched<Result>,
    tried: Set<string>,
    call: Call,
  ): Promise<Outcome<Result> | undefined> {
    const { keys } = matched;
    if (keys.fresh) return undefined;
    const { cache } = this.vertex.around;
    for (const name of keys.names) {
      for (const record of await cache.records(name, call)) {
        const attempt = `${name} ${record.id}`;
        if (tried.has(attempt)) continue;
        tried.add(attempt);
        const loaded = await cache.load(record, call);
        if (!loaded) continue;
        this.vertex.audience.announce("cached");
        this.#trace("cached", matched, name);
        const names = [name, ...keys.names.filter((other) => other !== name)];
        return { keys: { names, fresh: false }, result: loaded.result, loaded: true };
      }
    }
    return undefined;
  }

  /** As `#match()`; what is found by content shall be found by definition the next time. */
  async #matchAndLink(
    map: CacheMap<Result>,
    inputs: readonly InputKeys[],
    call: Call,
  ): Promise<Matched<Result>> {
    const matched = await this.#match(map, inputs, call);
    const [key] = matched.keys.names;
    if (matched.found && key !== undefined && inputs.some((input) => input.content !== undefined)) {
      const { vertex } = this;
      await vertex.around.cache.link(vertex.entryFor(key, map, inputs, this.#output), call);
    }
    return matched;
  }
}
