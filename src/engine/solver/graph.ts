// The graph that all jobs of a solver share: equal vertices exist once.
import { digestOf } from "../../base/index.ts";
import type { EdgeState } from "./edge-state.ts";
import type { JobState } from "./job.ts";
import type { Edge, Vertex } from "./types.ts";
import { type Surroundings, VertexState } from "./vertex-state.ts";

export class SolverGraph<Def, Result> {
  readonly #around: Surroundings<Def, Result>;
  readonly #vertices = new Map<string, VertexState<Def, Result>>();
  readonly #jobNames = new WeakMap<JobState<Def, Result>, string>();
  #jobCount = 0;

  constructor(around: Surroundings<Def, Result>) {
    this.#around = around;
  }

  /** Finds or makes the edge's state and those of all vertices below; the job becomes a member of each. */
  load(edge: Edge<Def>, job: JobState<Def, Result>): EdgeState<Def, Result> {
    const loaded = new Map<Vertex<Def>, VertexState<Def, Result>>();
    // A stack of its own: graphs may be deeper than the call stack.
    const waiting = [edge.vertex];
    for (let vertex = waiting.at(-1); vertex; vertex = waiting.at(-1)) {
      const missing = vertex.inputs.filter((input) => !loaded.has(input.vertex));
      if (missing.length === 0) {
        waiting.pop();
        if (!loaded.has(vertex)) loaded.set(vertex, this.#join(vertex, job, loaded));
      } else {
        waiting.push(...missing.map((input) => input.vertex).reverse());
      }
    }
    return stateOf(edge.vertex, loaded).edge(edge.output);
  }

  /** Resolves when what only this job used has been let go. */
  async leave(
    vertices: readonly VertexState<Def, Result>[],
    job: JobState<Def, Result>,
  ): Promise<void> {
    await Promise.all(
      vertices.map((vertex) => {
        const left = vertex.leave(job);
        // Nobody may join a vertex that is being let go.
        const own = this.#vertices.get(vertex.identity) === vertex;
        if (vertex.audience.isEmpty && own) this.#vertices.delete(vertex.identity);
        return left;
      }),
    );
  }

  #join(
    vertex: Vertex<Def>,
    job: JobState<Def, Result>,
    loaded: ReadonlyMap<Vertex<Def>, VertexState<Def, Result>>,
  ): VertexState<Def, Result> {
    const inputs = vertex.inputs.map((input) => stateOf(input.vertex, loaded).edge(input.output));
    const identity = this.#identify(vertex, inputs, job);
    const state =
      this.#vertices.get(identity) ?? new VertexState(vertex, identity, inputs, this.#around);
    this.#vertices.set(identity, state);
    state.audience.join(job, vertex);
    job.loaded(state, vertex);
    return state;
  }

  /** Steps that ignore the cache or use what only their job has, and all that use them, are their job's own. */
  #identify(
    vertex: Vertex<Def>,
    inputs: readonly EdgeState<Def, Result>[],
    job: JobState<Def, Result>,
  ): string {
    const below = inputs.map((input) => input.vertex.identity);
    const shared = vertex.inputs.every((input, index) => below[index] === input.vertex.digest);
    if (!vertex.ignoreCache && !vertex.apart && shared) return vertex.digest;
    const own = `${vertex.digest} ${vertex.ignoreCache ?? false}\n${below.join("\n")}`;
    return `${this.#nameOf(job)} ${digestOf(own)}`;
  }

  #nameOf(job: JobState<Def, Result>): string {
    const name = this.#jobNames.get(job) ?? `job ${++this.#jobCount}`;
    this.#jobNames.set(job, name);
    return name;
  }
}

function stateOf<Def, Result>(
  vertex: Vertex<Def>,
  loaded: ReadonlyMap<Vertex<Def>, VertexState<Def, Result>>,
): VertexState<Def, Result> {
  const state = loaded.get(vertex);
  if (!state) throw new Error("a vertex is used before it is loaded");
  return state;
}
