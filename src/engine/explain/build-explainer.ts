// One build's explanations: gathers what the solver tells of its steps, compares, and remembers for the next build.
import type { BuildEvent, Explanation, MissReason } from "../../api/index.ts";
import type { Digest } from "../../base/index.ts";
import type { LlbVertex } from "../../formats/llb/index.ts";
import { formatPlatform } from "../../formats/oci/index.ts";
import type { CacheKeyId, ContentListing, StepFact } from "../solver/index.ts";
import { changedFields, changedFiles, changedSource } from "./differences.ts";
import { nearestStep, placeOf } from "./nearest.ts";
import { stepFields } from "./step-fields.ts";
import type { BuiltStep, InputMemory, LastBuild, StepHistory, StepMemory } from "./step-history.ts";

/** Steps of one project that are remembered from build to build, also those that the last build did not touch. */
const mostSteps = 1000;

/** A build that only found what it knew writes again after this time, in milliseconds. */
const freshFor = 24 * 3600 * 1000;

interface Known {
  readonly vertex: LlbVertex;
  readonly fact: StepFact;
}

export class BuildExplainer {
  readonly #history: StepHistory;
  readonly #project: string;
  readonly #now: () => Date;
  readonly #last: LastBuild | undefined;
  readonly #vertices = new Map<Digest, LlbVertex>();
  readonly #known = new Map<Digest, Known>();
  readonly #ran = new Map<Digest, { readonly key: CacheKeyId; memory: StepMemory }>();
  readonly #listings = new Map<CacheKeyId, ContentListing>();
  readonly #explanations: Explanation[] = [];
  readonly #pinOf: (source: Digest) => string | undefined;

  /**
   * `project` names what is built again and again: the context and the Dockerfile's name. `pinOf` says what a source stands
   * for, such as a commit, once that is known.
   */
  constructor(
    history: StepHistory,
    project: string,
    now: () => Date,
    pinOf: (source: Digest) => string | undefined = () => undefined,
  ) {
    this.#pinOf = pinOf;
    this.#history = history;
    this.#project = project;
    this.#now = now;
    this.#last = history.lastBuild(project);
  }

  /** Of the steps that ran, in the order in which they began. */
  get explanations(): readonly Explanation[] {
    return this.#explanations;
  }

  /** Called with every vertex before it is solved. */
  learn(vertices: Iterable<LlbVertex>): void {
    for (const vertex of vertices) this.#vertices.set(vertex.digest, vertex);
  }

  /** Takes what the solver tells. Answers an explanation when a step that is no source is about to run. */
  fact(fact: StepFact): Explanation | undefined {
    const vertex = this.#vertices.get(fact.vertex);
    if (!vertex) return undefined;
    this.#known.set(fact.vertex, { vertex, fact });
    if (fact.stage !== "run" || vertex.op.kind === "source") return undefined;
    const explanation = this.#explain(vertex, fact);
    this.#explanations.push(explanation);
    this.#ran.set(fact.vertex, { key: fact.key, memory: this.#memoryOf(vertex, fact) });
    return explanation;
  }

  /** Notes which steps did not come to their end. */
  event(event: BuildEvent): void {
    if (event.type !== "step" || (event.state !== "failed" && event.state !== "cancelled")) return;
    const ran = this.#ran.get(event.step);
    if (ran) ran.memory = { ...ran.memory, failed: true };
  }

  /** Writes down what later builds will be compared with; nothing where nothing is new. */
  remember(): void {
    const at = this.#now().getTime();
    const steps = this.#builtSteps();
    if (steps.length === 0) return;
    const old = JSON.stringify(this.#last?.steps ?? []);
    const unchanged = this.#ran.size === 0 && JSON.stringify(steps) === old;
    if (unchanged && at - (this.#last?.at ?? 0) < freshFor) return;
    this.#history.remember({
      project: this.#project,
      build: { at, steps },
      ran: new Map([...this.#ran.values()].map(({ key, memory }) => [key, memory])),
      listings: this.#listings,
    });
  }

  /** Steps of this build, then those of the last that it did not come to. */
  #builtSteps(): readonly BuiltStep[] {
    const built = [...this.#known.values()]
      .filter(({ vertex }) => vertex.op.kind !== "source")
      .map(({ vertex, fact }) => ({ ...identityOf(vertex), step: fact.step, key: fact.key }));
    const reached = new Set(built.map(slotOf));
    const vertices = [...this.#vertices.values()];
    const [slots, stages] = [new Set(vertices.map(slotOf)), new Set(vertices.map(stageOf))];
    // Steps of stages that are not part of this build, and those that it has not come to.
    const others = (this.#last?.steps ?? []).filter(
      (step) =>
        !reached.has(slotOf(step)) && (slots.has(slotOf(step)) || !stages.has(stageOf(step))),
    );
    return built.length === 0 ? [] : [...built, ...others].slice(0, mostSteps);
  }

  #explain(vertex: LlbVertex, fact: StepFact): Explanation {
    const identity = identityOf(vertex);
    const reasons = this.#reasons(vertex, fact);
    return {
      step: vertex.digest,
      ...identity,
      reasons: reasons.length > 0 ? reasons : [{ kind: "new" }],
      ...(this.#last ? { comparedWith: new Date(this.#last.at) } : {}),
    };
  }

  #reasons(vertex: LlbVertex, fact: StepFact): readonly MissReason[] {
    if (fact.ignoresCache) return [{ kind: "no-cache" }];
    const below = fact.inputs.flatMap((input, index) =>
      input.fresh && input.content === undefined ? this.#stepReason(vertex, index) : [],
    );
    if (below.length > 0) return below;
    const before = this.#history.step(fact.key);
    if (before) return [{ kind: before.failed ? "failed" : "pruned" }];
    const nearest = this.#nearest(vertex, fact);
    const old = nearest && this.#history.step(nearest.key);
    if (!old) return [];
    const fields = changedFields(old.fields, stepFields(vertex));
    const inputs = fact.inputs.flatMap((_, index) => this.#inputReasons(vertex, fact, index, old));
    return [...fields, ...inputs];
  }

  #nearest(vertex: LlbVertex, fact: StepFact): BuiltStep | undefined {
    if (!this.#last) return undefined;
    const current = new Set([...this.#known.values()].map((known) => known.fact.step));
    return nearestStep({ ...identityOf(vertex), step: fact.step }, this.#last.steps, current);
  }

  #inputReasons(vertex: LlbVertex, fact: StepFact, index: number, old: StepMemory): MissReason[] {
    const [input, before] = [fact.inputs[index], old.inputs[index]];
    const source = vertex.inputs[index]?.vertex;
    if (!input || !before || !source) return [];
    if (input.content !== undefined && before.content !== undefined) {
      if (input.content === before.content) return [];
      const now = this.#listingOf(input.content, fact, index);
      return [changedFiles(originOf(source), this.#history.listing(before.content), now)];
    }
    if (input.names.includes(before.name)) return [];
    if (source.op.kind !== "source") return this.#stepReason(vertex, index);
    if (before.source === undefined || before.source === source.op.identifier) {
      const { identifier } = source.op;
      const [old, now] = [before.pin, this.#pinOf(source.digest)];
      const known = old !== undefined && now !== undefined && old !== now;
      return [{ kind: "source", old: known ? old : identifier, new: known ? now : identifier }];
    }
    return [changedSource(before.source, source.op.identifier)];
  }

  #stepReason(vertex: LlbVertex, index: number): MissReason[] {
    const input = vertex.inputs[index]?.vertex;
    return input ? [{ kind: "step", step: input.digest, name: input.name }] : [];
  }

  #listingOf(content: CacheKeyId, fact: StepFact, index: number): ContentListing | undefined {
    const listing = fact.inputs[index]?.listing?.();
    if (listing) this.#listings.set(content, listing);
    return listing;
  }

  #memoryOf(vertex: LlbVertex, fact: StepFact): StepMemory {
    const inputs = fact.inputs.map(({ names, content }, index): InputMemory => {
      const { op, digest } = vertex.inputs[index]?.vertex ?? {};
      const pin = op?.kind === "source" && digest ? this.#pinOf(digest) : undefined;
      if (content !== undefined) this.#listingOf(content, fact, index);
      return {
        name: names[0] ?? "",
        ...(content === undefined ? {} : { content }),
        ...(op?.kind === "source" ? { source: op.identifier } : {}),
        ...(pin === undefined ? {} : { pin }),
      };
    });
    return { at: this.#now().getTime(), step: fact.step, fields: stepFields(vertex), inputs };
  }
}

function identityOf(vertex: LlbVertex): { name: string; platform?: string } {
  const platform = platformOf(vertex);
  return { name: vertex.name, ...(platform === "" ? {} : { platform }) };
}

function slotOf(step: LlbVertex | BuiltStep): string {
  return `${platformOf(step)} ${step.name}`;
}

function stageOf(step: LlbVertex | BuiltStep): string {
  return `${platformOf(step)} ${placeOf(step.name).stage}`;
}

/** The platform that a step is for: its own, else that of what it is built on; empty where there is none. */
function platformOf(step: LlbVertex | BuiltStep): string {
  if (!("op" in step)) return step.platform ?? "";
  for (let vertex: LlbVertex | undefined = step; vertex; vertex = vertex.inputs[0]?.vertex) {
    if (vertex.platform) return formatPlatform(vertex.platform);
  }
  return "";
}

/** Where files come from, in the user's words. */
function originOf({ op, name }: LlbVertex): string {
  if (op.kind !== "source") return name;
  const local = /^local:\/\/(.*)$/.exec(op.identifier)?.[1];
  return local ?? op.identifier.replace(/^docker-image:\/\//, "");
}
