// The solver's job of one build, with what is to be told of steps that were not cached.
import type { BuildEvent, BuildRequest, Session } from "../../api/index.ts";
import { type Call, type Digest, digestOf, KilnError, log } from "../../base/index.ts";
import type { LlbGraph } from "../../formats/llb/index.ts";
import { BuildExplainer, type StepHistory } from "../explain/index.ts";
import type { OpDefinition, OpResult } from "../ops/index.ts";
import type { CacheKeyId, Solver, StepFact, Vertex } from "../solver/index.ts";
import { toVertexEdge, type VertexBuild } from "./vertices.ts";

const debug = log("explain");

export interface ExplainedJob extends AsyncDisposable {
  /** The graph's result, lent until the job is disposed; undefined is scratch. */
  solve(graph: LlbGraph | undefined, build: VertexBuild, call: Call): Promise<OpResult>;
  /** Of every vertex of the graph, whether it is cached or not needed. Only lent directories are looked into. */
  foresee(
    graph: LlbGraph | undefined,
    build: VertexBuild,
    call: Call,
  ): Promise<ReadonlyMap<Digest, boolean>>;
  /** The names that the cache knows the graph's result by, once it is solved. */
  names(
    graph: LlbGraph | undefined,
    build: VertexBuild,
    call: Call,
  ): Promise<readonly CacheKeyId[]>;
  /** The names of a step's result that have come out so far. */
  keysOf(step: Digest): readonly CacheKeyId[];
  /** Throws `STEP_NOT_CACHED` when a step had to run. */
  expectCached(): void;
}

export interface ExplainedJobParts {
  readonly solver: Solver<OpDefinition, OpResult>;
  readonly history: StepHistory;
  readonly emit: (event: BuildEvent) => void;
  readonly now: () => Date;
  /** What sources of builds stand for. */
  readonly pins: { get(source: string): string | undefined };
}

/** Opens a job; disposing it also writes down what later builds will be compared with. */
export function openJob(
  request: BuildRequest,
  session: Session,
  { solver, history, emit, now, pins }: ExplainedJobParts,
): ExplainedJob {
  const pinOf = (source: Digest) => pins.get(source);
  const explainer = attempt(
    () => new BuildExplainer(history, projectOf(request, session), now, pinOf),
  );
  const keys = new Map<Digest, Set<CacheKeyId>>();
  const trace = (fact: StepFact): void => {
    keys.set(fact.vertex, (keys.get(fact.vertex) ?? new Set()).add(fact.key));
    const explanation = attempt(() => explainer?.fact(fact));
    if (!explanation || !request.explain) return;
    emit({ type: "explanation", step: fact.vertex, explanation, at: now() });
  };
  const listen = (event: BuildEvent): void => {
    explainer?.event(event);
    emit(event);
  };
  const job = solver.job(request.ref, listen, { keepGoing: request.keepGoing ?? false, trace });
  return {
    async solve(graph, build, call) {
      if (!graph?.result) return undefined;
      explainer?.learn(graph.vertices);
      return await job.build(toVertexEdge(graph.result, build), call);
    },
    async foresee(graph, build, call) {
      if (!graph?.result) return new Map();
      return await job.foresee(toVertexEdge(graph.result, build), mayLook, call);
    },
    async names(graph, build, call) {
      return graph?.result ? await job.names(toVertexEdge(graph.result, build), call) : [];
    },
    keysOf: (step) => [...(keys.get(step) ?? [])],
    expectCached() {
      const ran = explainer?.explanations ?? [];
      if (ran.length === 0) return;
      const steps = [...new Set(ran.map(({ name }) => name))];
      throw new KilnError(
        "STEP_NOT_CACHED",
        `${steps.length === 1 ? "a step" : `${steps.length} steps`} had to run:\n${steps.join("\n")}`,
        { hint: "Build with --explain to see why; nothing was exported." },
      );
    },
    async [Symbol.asyncDispose]() {
      await job[Symbol.asyncDispose]();
      attempt(() => explainer?.remember());
    },
  };
}

/** Contents of lent directories cost a look; those of images would have to be fetched. */
function mayLook({ def }: Vertex<OpDefinition>, cached: boolean): boolean {
  const { op } = def.vertex;
  return op.kind === "source" ? op.identifier.startsWith("local://") : cached;
}

/** What is built again and again: a context with a Dockerfile's name. */
function projectOf({ attrs }: BuildRequest, session: Session): string {
  const context = session.directory("context") ?? attrs["context"] ?? "";
  return digestOf(JSON.stringify([context, attrs["filename"] ?? ""]));
}

/** Explaining must not stop a build. */
function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    debug.debug("not explained", { error: String(error) });
    return undefined;
  }
}
