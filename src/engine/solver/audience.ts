// Who has to do with a vertex: the jobs that know it, those that want it now, and on whose behalf it works.
import type { BuildEvent, StepCall, StepState } from "../../api/index.ts";
import { type Call, isAbortError } from "../../base/index.ts";
import { Demand } from "./lasting-work.ts";
import type { Op, SolverOptions, StepFact, Vertex } from "./types.ts";
import type { VertexState } from "./vertex-state.ts";

/** A job, as its vertices see it. */
export interface Listener<Def, Result> {
  tell(vertex: VertexState<Def, Result>, state: StepState, error?: string): void;
  emit(event: BuildEvent): void;
  trace(fact: StepFact): void;
}

/** The op of the job on whose behalf a vertex works. */
export interface Owner<Def, Result> {
  readonly job: Listener<Def, Result>;
  readonly op: Op<Result>;
}

export class Audience<Def, Result> {
  /** Jobs that are building something with this vertex in it, and vertices that wait for its outputs as for their own. */
  readonly demand: Demand<Listener<Def, Result> | Audience<Def, Result>> = new Demand();
  readonly #vertex: VertexState<Def, Result>;
  readonly #options: SolverOptions<Def, Result>;
  /** Every job that has loaded the vertex, with its own definition of it: sessions differ. */
  readonly #members = new Map<Listener<Def, Result>, Vertex<Def>>();
  #owner: Owner<Def, Result> | undefined;
  #state: StepState = "planned";
  #hasSpoken = false;

  constructor(vertex: VertexState<Def, Result>, options: SolverOptions<Def, Result>) {
    this.#vertex = vertex;
    this.#options = options;
  }

  /** No job knows the vertex any more. */
  get isEmpty(): boolean {
    return this.#members.size === 0;
  }

  /** Some job wants it now. */
  get isWanted(): boolean {
    return this.#firstJob() !== undefined;
  }

  /** More than one job wants it now. */
  get isShared(): boolean {
    return [...this.demand.holders].length > 1;
  }

  /** Whether the op has told anything of its work. */
  get hasSpoken(): boolean {
    return this.#hasSpoken;
  }

  join(job: Listener<Def, Result>, vertex: Vertex<Def>): void {
    if (!this.#members.has(job)) this.#members.set(job, vertex);
  }

  leave(job: Listener<Def, Result>): void {
    this.#members.delete(job);
  }

  /** Keeps the vertex's work alive, and tells the job what has happened so far. */
  addDemand(job: Listener<Def, Result>): void {
    this.demand.add(job);
    if (this.#state !== "planned") job.tell(this.#vertex, this.#state);
  }

  /** True when it was the job's last. */
  removeDemand(job: Listener<Def, Result>): boolean {
    if (!this.demand.remove(job)) return false;
    const stopped = this.#state === "started" && !this.isWanted;
    if (this.#state === "failed" || stopped) this.#state = "planned";
    return true;
  }

  announce(state: StepState, error?: unknown): void {
    this.#state = state;
    const text = error === undefined ? undefined : messageOf(error);
    for (const holder of this.demand.holders) {
      if (!(holder instanceof Audience)) holder.tell(this.#vertex, state, text);
    }
  }

  trace(fact: Omit<StepFact, "vertex">): void {
    for (const holder of this.demand.holders) {
      if (!(holder instanceof Audience))
        holder.trace({ ...fact, vertex: this.#vertex.vertex.digest });
    }
  }

  /** The first job that wants the vertex; while nobody but other vertices does, the one before. */
  owner(): Owner<Def, Result> {
    if (this.#owner && this.demand.has(this.#owner.job)) return this.#owner;
    const job = this.#firstJob();
    const definition = job && this.#members.get(job);
    if (job && definition) this.#owner = { job, op: this.#options.op(definition) };
    if (!this.#owner) throw new Error("a step is wanted that no job has loaded");
    return this.#owner;
  }

  stepCall(call: Call): StepCall {
    return {
      signal: call.signal,
      step: this.#vertex.vertex.digest,
      emit: (event) => {
        this.#hasSpoken = true;
        this.#emit(event, new Set());
      },
    };
  }

  #firstJob(): Listener<Def, Result> | undefined {
    for (const holder of this.demand.holders) if (!(holder instanceof Audience)) return holder;
    return undefined;
  }

  /** To every job once, under the digest by which that job knows the vertex. */
  #emit(event: BuildEvent, told: Set<Listener<Def, Result>>): void {
    const followers: Audience<Def, Result>[] = [];
    for (const holder of this.demand.holders) {
      if (holder instanceof Audience) followers.push(holder);
      else if (!told.has(holder)) {
        told.add(holder);
        holder.emit(event);
      }
    }
    for (const follower of followers) {
      follower.#emit({ ...event, step: follower.#vertex.vertex.digest }, told);
    }
  }
}

function messageOf(error: unknown): string {
  if (isAbortError(error)) return "cancelled";
  return error instanceof Error ? error.message : String(error);
}
