// Steps on integers for tests of the solver: every call is counted, every result is accounted for.
import type { BuildEvent, StepCall } from "../../src/api/index.ts";
import { type Call, digestOf } from "../../src/base/index.ts";
import {
  type CacheMap,
  type CacheStore,
  createMemoryCacheStore,
  createSolver,
  type Edge,
  type JobOptions,
  type Op,
  type ResultStorage,
  type Solver,
  type Turns,
  type Vertex,
} from "../../src/engine/solver/index.ts";

/** A result that must be released exactly once. */
export class Held {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

export interface StepOptions {
  readonly inputs?: readonly (Edge<NumberStep> | Vertex<NumberStep>)[];
  /** What the step is, apart from its inputs; its name if not given. */
  readonly key?: string | (() => string);
  /** By input: which part of it matters, so that the cache may look at the content. */
  readonly content?: readonly (((value: number) => number) | undefined)[];
  readonly selectors?: readonly (string | undefined)[];
  readonly run?: (inputs: readonly number[], call: StepCall) => number[] | Promise<number[]>;
  readonly ignoreCache?: boolean;
  readonly apart?: Vertex<NumberStep>["apart"];
  /** Waited for inside `cacheMap`. */
  readonly resolving?: (call: StepCall) => Promise<void>;
}

export interface NumberStep {
  readonly name: string;
  readonly options: StepOptions;
}

/** A step; its digest covers name and inputs, as LLB's does. */
export function step(name: string, options: StepOptions = {}): Vertex<NumberStep> {
  const inputs = (options.inputs ?? []).map((one) =>
    "vertex" in one ? one : { vertex: one, output: 0 },
  );
  const below = inputs.map(({ vertex, output }) => `${vertex.digest} ${output}`);
  return {
    digest: digestOf([name, ...below].join("\n")),
    name,
    def: { name, options },
    inputs,
    ...(options.ignoreCache ? { ignoreCache: true } : {}),
    ...(options.apart ? { apart: options.apart } : {}),
  };
}

/** A solver of numbers with all that can be asked of it afterwards. */
export class NumberSolver {
  /** What happened, in order: `map x`, `prepare x`, `content x 0`, `run x`, `load 3`. */
  readonly calls: string[] = [];
  readonly live: Set<Held> = new Set();
  /** Results that the cache can bring back, by id. */
  readonly saved: Map<string, number> = new Map();
  readonly cache: CacheStore<Held>;
  /** Replace it by `restart()` to forget all but the cache. */
  solver: Solver<NumberStep, Held>;
  running = 0;
  permits = 0;
  #now = 1000;
  #saves = 0;
  #jobs = 0;

  /** Waited for in everything that may take time; `call` is absent where nothing can be cancelled. */
  readonly #pause: (call?: Call) => Promise<void>;

  constructor(
    makeCache: (results: ResultStorage<Held>) => CacheStore<Held> = createMemoryCacheStore,
    pause: (call?: Call) => Promise<void> = async () => {},
  ) {
    this.#pause = pause;
    this.cache = makeCache({
      save: async ({ value }) => {
        await pause();
        const id = `r${++this.#saves}`;
        this.saved.set(id, value);
        return id;
      },
      load: async (id) => {
        this.calls.push(`load ${id}`);
        await pause();
        const value = this.saved.get(id);
        return value === undefined ? undefined : { result: this.hold(value) };
      },
    });
    this.solver = this.restart();
  }

  /** Another solver on the same cache, as in another process; at the same time as this one where they take turns. */
  restart(turns?: Turns): Solver<NumberStep, Held> {
    return createSolver<NumberStep, Held>({
      ...(turns ? { turns } : {}),
      op: (vertex) => this.#op(vertex),
      cache: this.cache,
      clone: (result) => {
        if (!this.live.has(result)) throw new Error("a released result was cloned");
        return this.hold(result.value);
      },
      release: async (result) => {
        if (!this.live.delete(result)) throw new Error("a result was released twice");
        await this.#pause();
      },
      now: () => new Date(++this.#now),
    });
  }

  hold(value: number): Held {
    const held = new Held(value);
    this.live.add(held);
    return held;
  }

  /** Builds in a job of its own that ends at once. */
  async build(
    target: Vertex<NumberStep> | Edge<NumberStep>,
    call: Call,
    emit: (event: BuildEvent) => void = () => {},
    options: JobOptions = {},
  ): Promise<number> {
    await using job = this.solver.job(`job ${++this.#jobs}`, emit, options);
    const edge = "vertex" in target ? target : { vertex: target, output: 0 };
    return (await job.build(edge, call)).value;
  }

  /** What happened since the last time that this was asked, of the given kinds. */
  taken(...kinds: string[]): string[] {
    const calls = this.calls.splice(0);
    return calls.filter((call) => kinds.length === 0 || kinds.includes(call.split(" ")[0] ?? ""));
  }

  #op({ def: { name, options } }: Vertex<NumberStep>): Op<Held> {
    return {
      cacheMap: async (call) => {
        this.calls.push(`map ${name}`);
        await this.#pause(call);
        await options.resolving?.(call);
        return this.#cacheMap(name, options);
      },
      prepare: () => void this.calls.push(`prepare ${name}`),
      acquire: async (call) => {
        await this.#pause(call);
        this.permits++;
        return {
          [Symbol.asyncDispose]: async () => {
            this.permits--;
          },
        };
      },
      exec: async (inputs, call) => {
        this.calls.push(`run ${name}`);
        this.running++;
        try {
          const values = inputs.map((input) => this.#valueOf(input));
          await this.#pause(call);
          const outputs = await (options.run ?? sum)(values, call);
          for (const input of inputs) this.#valueOf(input);
          return outputs.map((value) => this.hold(value));
        } finally {
          this.running--;
        }
      },
    };
  }

  #cacheMap(name: string, options: StepOptions): CacheMap<Held> {
    const key = typeof options.key === "function" ? options.key() : (options.key ?? name);
    return {
      digest: digestOf(key),
      inputs: (options.inputs ?? []).map((_, index) => {
        const part = options.content?.[index];
        const selector = options.selectors?.[index];
        return {
          ...(selector === undefined ? {} : { selector: digestOf(selector) }),
          ...(part === undefined
            ? {}
            : {
                contentDigest: async (result: Held, call: Call) => {
                  this.calls.push(`content ${name} ${index}`);
                  const content = part(this.#valueOf(result));
                  await this.#pause(call);
                  this.#valueOf(result);
                  return digestOf(String(content));
                },
              }),
        };
      }),
    };
  }

  #valueOf(result: Held): number {
    if (!this.live.has(result)) throw new Error("a released result was used");
    return result.value;
  }
}

function sum(values: readonly number[]): number[] {
  return [values.reduce((total, value) => total + value, 1)];
}
