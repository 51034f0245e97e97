// One build's view of the shared graph: which vertices it has loaded, and what was said of them.
import type { BuildEvent, StepState } from "../../api/index.ts";
import { abortReason, type Call, type Digest } from "../../base/index.ts";
import type { Listener } from "./audience.ts";
import type { CacheKeyId } from "./cache-store.ts";
import type { EdgeState } from "./edge-state.ts";
import { foresee } from "./foresee.ts";
import type { SolverGraph } from "./graph.ts";
import type { Edge, Job, JobOptions, MayLook, StepFact, Vertex } from "./types.ts";
import type { VertexState } from "./vertex-state.ts";

/** The solver's side of `Job`. */
export class JobState<Def, Result> implements Job<Def, Result>, Listener<Def, Result> {
  readonly emit: (event: BuildEvent) => void;
  readonly #graph: SolverGraph<Def, Result>;
  readonly #now: () => Date;
  readonly #options: JobOptions;
  readonly #disposal = new AbortController();
  readonly #states = new Map<VertexState<Def, Result>, StepState>();
  readonly #users = new Map<VertexState<Def, Result>, Set<VertexState<Def, Result>>>();
  /** Wanted for themselves, not for a step that uses them. */
  readonly #targets = new Map<VertexState<Def, Result>, number>();
  readonly #builds = new Set<Promise<unknown>>();

  constructor(
    graph: SolverGraph<Def, Result>,
    emit: (event: BuildEvent) => void,
    now: () => Date,
    options: JobOptions = {},
  ) {
    this.#options = options;
    this.#graph = graph;
    this.emit = emit;
    this.#now = now;
  }

  build(edge: Edge<Def>, call: Call): Promise<Result> {
    return this.#during((building) => this.#build(edge, building), call);
  }

  foresee(
    edge: Edge<Def>,
    mayLook: MayLook<Def>,
    call: Call,
  ): Promise<ReadonlyMap<Digest, boolean>> {
    return this.#during(async (looking) => {
      const target = this.#graph.load(edge, this);
      const vertices = withInputs(target.vertex);
      for (const vertex of vertices) vertex.audience.addDemand(this);
      try {
        return await foresee(target, mayLook, looking);
      } finally {
        for (const vertex of vertices) this.#dropDemand(vertex);
      }
    }, call);
  }

  /** Work that the job's end cancels and waits for. */
  async #during<T>(work: (call: Call) => Promise<T>, call: Call): Promise<T> {
    const signal = AbortSignal.any([call.signal, this.#disposal.signal]);
    signal.throwIfAborted();
    const working = work({ signal });
    this.#builds.add(working);
    try {
      return await working;
    } finally {
      this.#builds.delete(working);
    }
  }

  async names(edge: Edge<Def>, call: Call): Promise<readonly CacheKeyId[]> {
    return (await this.#graph.load(edge, this).outcome.get(call)).keys.names;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposal.abort(abortReason("the job has ended"));
    await Promise.allSettled(this.#builds);
    const vertices = [...this.#states.keys()];
    this.#states.clear();
    await this.#graph.leave(vertices, this);
  }

  tell(vertex: VertexState<Def, Result>, state: StepState, error?: string): void {
    const last = this.#states.get(vertex);
    // Something more may be asked of a step that was cached or failed; one that is done has nothing left to do.
    if (last === state || last === "done" || (hasEnded(last) && state !== "started")) return;
    this.#states.set(vertex, state);
    // Inputs first, as people read.
    if (state === "cached" || state === "done") this.#tellUnneeded(vertex);
    const { digest, name } = vertex.vertex;
    const failure = error === undefined ? {} : { error };
    this.emit({ type: "step", step: digest, name, at: this.#now(), state, ...failure });
  }

  trace(fact: StepFact): void {
    this.#options.trace?.(fact);
  }

  /** Called once for every vertex that this job loads, inputs first. */
  loaded(state: VertexState<Def, Result>, vertex: Vertex<Def>): void {
    if (this.#states.has(state)) return;
    this.#states.set(state, "planned");
    for (const input of state.inputs) {
      const users = this.#users.get(input.vertex) ?? new Set();
      this.#users.set(input.vertex, users.add(state));
    }
    this.emit({
      type: "step",
      step: vertex.digest,
      name: vertex.name,
      at: this.#now(),
      state: "planned",
      inputs: [...new Set(vertex.inputs.map((input) => input.vertex.digest))],
      ...(vertex.group ? { group: vertex.group } : {}),
    });
  }

  async #build(edge: Edge<Def>, call: Call): Promise<Result> {
    const target = this.#graph.load(edge, this);
    const vertices = withInputs(target.vertex);
    this.#targets.set(target.vertex, (this.#targets.get(target.vertex) ?? 0) + 1);
    for (const vertex of vertices) vertex.audience.addDemand(this);
    try {
      return (await target.outcome.get(call)).result;
    } catch (error) {
      if (!this.#options.keepGoing || call.signal.aborted) throw error;
      throw joined(await failuresBelow(target, call));
    } finally {
      this.#targets.set(target.vertex, (this.#targets.get(target.vertex) ?? 0) - 1);
      for (const vertex of vertices) this.#dropDemand(vertex);
    }
  }

  #dropDemand(vertex: VertexState<Def, Result>): void {
    vertex.removeDemand(this);
    const begun = this.#states.get(vertex) === "started";
    if (begun && !vertex.audience.demand.has(this)) this.tell(vertex, "cancelled");
  }

  /**
   * What only cached or finished steps would have used will not be needed: to people it is as good as cached, or done where
   * they have seen it work.
   */
  #tellUnneeded(vertex: VertexState<Def, Result>): void {
    for (const { vertex: input } of vertex.inputs) {
      const users = [...(this.#users.get(input) ?? [])];
      const unneeded =
        !hasEnded(this.#states.get(input)) &&
        (this.#targets.get(input) ?? 0) === 0 &&
        users.every((user) => hasEnded(this.#states.get(user)));
      if (unneeded) this.tell(input, input.audience.hasSpoken ? "done" : "cached");
    }
  }
}

/** Lets all that does not depend on a failure come to its end; returns every failure once. */
async function failuresBelow<Def, Result>(
  target: EdgeState<Def, Result>,
  call: Call,
): Promise<ReadonlySet<unknown>> {
  const failures = new Set<unknown>();
  const seen = new Set([target]);
  const visit = async (
    edge: EdgeState<Def, Result>,
  ): Promise<readonly EdgeState<Def, Result>[]> => {
    try {
      await edge.outcome.get(call);
      return [];
    } catch (error) {
      call.signal.throwIfAborted();
      failures.add(error);
      return edge.vertex.inputs.filter((input) => !seen.has(input));
    }
  };
  for (let level: readonly EdgeState<Def, Result>[] = [target]; level.length > 0; ) {
    const below = new Set((await Promise.all(level.map(visit))).flat());
    for (const edge of below) seen.add(edge);
    level = [...below];
  }
  return failures;
}

function joined(failures: ReadonlySet<unknown>): unknown {
  const [first] = failures;
  return failures.size === 1 ? first : new AggregateError(failures, "several steps failed");
}

function hasEnded(state: StepState | undefined): boolean {
  return state !== undefined && state !== "planned" && state !== "started";
}

/** The vertex and all below it, each once. */
function withInputs<Def, Result>(
  vertex: VertexState<Def, Result>,
): ReadonlySet<VertexState<Def, Result>> {
  const seen = new Set([vertex]);
  // Sets iterate over what is added meanwhile.
  for (const one of seen) for (const input of one.inputs) seen.add(input.vertex);
  return seen;
}
