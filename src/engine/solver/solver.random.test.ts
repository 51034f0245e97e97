// The solver against a naive evaluator: random graphs, worlds, caches, failures and cancellations, in random order.
import fc from "fast-check";
import { expect, it } from "vitest";
import { NumberSolver, type NumberStep, step } from "../../../test/kit/number-steps.ts";
import { abortReason, type Call, isAbortError } from "../../base/index.ts";
import type { Edge, Vertex } from "./index.ts";

/** Scenarios to try; KILN_SOLVER_SEEDS=10000 takes a minute or two. */
const runs = Number(process.env["KILN_SOLVER_SEEDS"] ?? 300);

/** What a failure printed, to see it again: `{"seed": 1, "path": "2"}`. */
const replay: { readonly seed?: number; readonly path?: string } = JSON.parse(
  process.env["KILN_SOLVER_REPLAY"] ?? "{}",
);

it(`gives what a naive evaluation gives, in ${runs} random scenarios`, async () => {
  const scenario = fc.record({
    seed: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
    steps: fc.integer({ min: 1, max: 12 }),
    jobs: fc.integer({ min: 1, max: 4 }),
    rounds: fc.integer({ min: 1, max: 5 }),
    troubles: fc.constantFrom("none", "gone", "failures", "cancellations", "all"),
  });
  const property = fc.asyncProperty(scenario, playScenario);
  // A failure is reported with the seed and the smallest scenario that shows it.
  await fc.assert(property, { numRuns: runs, ...replay });
}, 3_600_000);

interface Scenario {
  readonly seed: number;
  readonly steps: number;
  readonly jobs: number;
  readonly rounds: number;
  readonly troubles: string;
}

type Trouble = "gone" | "failures" | "cancellations";

/** What a step is in one round. */
interface Plan {
  readonly name: string;
  /** Changes when somebody edits the definition, or, for sources, when the world does. */
  salt: number;
  readonly inputs: readonly {
    readonly of: number;
    readonly output: number;
    readonly divisor?: number;
    readonly selector?: string;
  }[];
  readonly outputs: number;
  /** Sources with the same twin have the same key and result under different names. */
  readonly twin?: string;
}

async function playScenario(scenario: Scenario): Promise<void> {
  const random = createRandom(scenario.seed);
  const has = (trouble: Trouble) => [trouble, "all"].includes(scenario.troubles);
  const plans = Array.from({ length: scenario.steps }, (_, index) => plan(index, random));
  const turns = new Turns(random);
  const numbers = new NumberSolver(undefined, (call) => turns.take(call));
  /** What has run and is cached by content; running it again is a fault. */
  const known = new Set<string>();
  for (let round = 0; round < scenario.rounds; round++) {
    change(plans, round, random);
    if (has("gone")) {
      for (const id of [...numbers.saved.keys()]) if (random(5) === 0) numbers.saved.delete(id);
    }
    const failing = new Set(plans.filter(() => has("failures") && random(8) === 0).map(kindOf));
    if (random(2)) numbers.solver = numbers.restart();
    const jobs = Array.from({ length: scenario.jobs }, () =>
      playJob({
        plans,
        failing,
        numbers,
        random,
        cancels: has("cancellations") && random(3) === 0,
        turns,
      }),
    );
    await turns.playAll(jobs.map((job) => job.ended));
    const runs = numbers.taken("run");
    const calm = jobs.every((job) => !job.cancelled()) && failing.size === 0;
    if (calm) checkRuns(runs, jobs, has("gone") ? new Set() : known, plans);
    expect(numbers.live.size, "results still held").toBe(0);
    expect([numbers.running, numbers.permits], "steps still running").toEqual([0, 0]);
  }
}

interface PlayedJob {
  readonly ended: Promise<void>;
  readonly ignoring: ReadonlySet<string>;
  cancelled(): boolean;
}

/** One job that builds one to three targets, at once or in turn, and is perhaps cancelled in the middle. */
function playJob(parts: {
  readonly plans: readonly Plan[];
  readonly failing: ReadonlySet<string>;
  readonly numbers: NumberSolver;
  readonly random: Random;
  readonly cancels: boolean;
  readonly turns: Turns;
}): PlayedJob {
  const { plans, failing, numbers, random, turns } = parts;
  const ignores = random(2) === 0;
  const ignoring = new Set(plans.filter(() => ignores && random(12) === 0).map(({ name }) => name));
  const controller = new AbortController();
  const vertices = toVertices(plans, failing, ignoring);
  const targets = Array.from({ length: 1 + random(3) }, () => random(plans.length));
  const atOnce = random(2) === 0;
  const build = async () => {
    await turns.take();
    await using job = numbers.solver.job("job", () => {});
    const one = async (index: number) => {
      const output = random(plans[index]?.outputs ?? 1);
      const edge: Edge<NumberStep> = { vertex: vertices[index]!, output };
      try {
        const { value } = await job.build(edge, controller);
        expect(value, `result of ${plans[index]?.name}`).toBe(evaluate(plans, index)[output]);
      } catch (error) {
        checkError(error, index, { plans, failing, cancelled: controller.signal.aborted });
      }
    };
    if (atOnce) await Promise.all(targets.map(one));
    else for (const target of targets) await one(target);
  };
  if (parts.cancels) {
    void turns.take().then(async () => {
      for (let wait = random(30); wait > 0; wait--) await turns.take();
      controller.abort(abortReason("the user has had enough"));
    });
  }
  return { ended: build(), ignoring, cancelled: () => controller.signal.aborted };
}

function checkError(
  error: unknown,
  index: number,
  {
    plans,
    failing,
    cancelled,
  }: { plans: readonly Plan[]; failing: ReadonlySet<string>; cancelled: boolean },
): void {
  if (isAbortError(error)) {
    expect(cancelled, "nobody cancelled this build").toBe(true);
    return;
  }
  const blamed = error instanceof StepFailure ? error.step : undefined;
  if (blamed === undefined) throw error;
  const below = [...closure(plans, index)].map((one) => plans[one]);
  expect(below.some((one) => one && failing.has(kindOf(one)))).toBe(true);
  expect(failing.has(blamed)).toBe(true);
}

/** Nothing runs twice in a round but by order, and nothing runs that is known by content. */
function checkRuns(
  runs: readonly string[],
  jobs: readonly PlayedJob[],
  known: Set<string>,
  plans: readonly Plan[],
): void {
  const counts = new Map<string, number>();
  for (const run of runs) {
    const name = run.slice("run ".length);
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  for (const [index, one] of plans.entries()) {
    const touched = [...closure(plans, index)].some((below) =>
      jobs.some((job) => job.ignoring.has(plans[below]?.name ?? "")),
    );
    const count = counts.get(stepName(one)) ?? 0;
    if (touched) {
      expect(count, `${one.name} runs`).toBeLessThanOrEqual(jobs.length + 1);
      continue;
    }
    const content = contentOf(plans, index);
    expect(count, `${one.name} runs`).toBeLessThanOrEqual(
      content !== undefined && known.has(content) ? 0 : 1,
    );
  }
  if (jobs.every((job) => job.ignoring.size === 0)) {
    const twins = plans.filter((one) => one.twin !== undefined);
    const twinRuns = twins.map((one) => counts.get(stepName(one)) ?? 0);
    expect(
      twinRuns.reduce((sum, one) => sum + one, 0),
      "runs of twins",
    ).toBeLessThanOrEqual(1);
  }
  for (const index of plans.keys()) {
    const content = contentOf(plans, index);
    if (content !== undefined && (counts.get(stepName(plans[index]!)) ?? 0) > 0) known.add(content);
  }
}

/** What a step sees, where that is all that its key depends on. */
function contentOf(plans: readonly Plan[], index: number): string | undefined {
  const one = plans[index]!;
  if (one.inputs.some((input) => input.divisor === undefined)) return undefined;
  const seen = one.inputs.map(
    ({ of, output, divisor = 1, selector }) =>
      `${(evaluate(plans, of)[output] ?? 0) % divisor} ${selector}`,
  );
  return JSON.stringify([kindOf(one), one.salt, seen]);
}

class StepFailure extends Error {
  readonly step: string;

  constructor(name: string) {
    super(`${name} failed`);
    this.step = name;
  }
}

function plan(index: number, random: Random): Plan {
  const inputs = Array.from({ length: Math.min(index, random(4)) }, () => ({
    of: random(index),
    output: 0,
    ...(random(2) ? { divisor: 1 + random(3) } : {}),
    ...(random(4) ? {} : { selector: `/${random(2)}` }),
  }));
  return {
    name: `s${index}`,
    salt: 0,
    inputs,
    outputs: 1 + random(2),
    ...(inputs.length === 0 && random(3) === 0 ? { twin: "twin", outputs: 1 } : {}),
  };
}

/** Edits some steps and moves some sources; sometimes back to what they were. */
function change(plans: readonly Plan[], round: number, random: Random): void {
  const twins = random(3);
  for (const one of plans) {
    if (one.twin) one.salt = twins;
    else if (round > 0 && random(5) === 0) one.salt = random(3);
  }
}

function kindOf(one: Plan): string {
  return one.twin ?? one.name;
}

function stepName(one: Plan): string {
  // A source's definition does not tell what the world has under that name.
  return one.inputs.length === 0 ? one.name : `${one.name} v${one.salt}`;
}

function toVertices(
  plans: readonly Plan[],
  failing: ReadonlySet<string>,
  ignoring: ReadonlySet<string>,
): readonly Vertex<NumberStep>[] {
  const vertices: Vertex<NumberStep>[] = [];
  for (const one of plans) {
    vertices.push(
      step(stepName(one), {
        key: `${kindOf(one)} ${one.salt}`,
        inputs: one.inputs.map(({ of, output }) => ({ vertex: vertices[of]!, output })),
        content: one.inputs.map(({ divisor }) =>
          divisor === undefined ? undefined : (value: number) => value % divisor,
        ),
        selectors: one.inputs.map(({ selector }) => selector),
        ignoreCache: ignoring.has(one.name),
        run: (inputs) => {
          if (failing.has(kindOf(one))) throw new StepFailure(kindOf(one));
          return compute(one, inputs);
        },
      }),
    );
  }
  return vertices;
}

function evaluate(plans: readonly Plan[], index: number): readonly number[] {
  const one = plans[index]!;
  return compute(
    one,
    one.inputs.map(({ of, output }) => evaluate(plans, of)[output] ?? Number.NaN),
  );
}

/** Sees only the part of an input that counts for the cache. */
function compute(one: Plan, inputs: readonly number[]): number[] {
  const seen = one.inputs.map(({ divisor, selector }, index) => {
    const value = inputs[index] ?? Number.NaN;
    return `${divisor === undefined ? value : value % divisor}${selector ?? ""}`;
  });
  const text = JSON.stringify([kindOf(one), one.salt, seen]);
  return Array.from({ length: one.outputs }, (_, output) => hash(`${text} ${output}`) % 1000);
}

function closure(plans: readonly Plan[], index: number): ReadonlySet<number> {
  const seen = new Set([index]);
  for (const one of seen) for (const { of } of plans[one]?.inputs ?? []) seen.add(of);
  return seen;
}

/** Everything that takes time waits here for its turn, which comes in random order: one at a time, nothing else moves. */
class Turns {
  readonly #random: Random;
  readonly #waiting = new Set<() => void>();

  constructor(random: Random) {
    this.#random = random;
  }

  take(call?: Call): Promise<void> {
    // Some heed cancellation at once, others only when they are done.
    const heeds = call !== undefined && this.#random(3) > 0;
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiting.delete(go);
        reject(call?.signal.reason);
      };
      const go = () => {
        call?.signal.removeEventListener("abort", leave);
        if (call?.signal.aborted && this.#random(2)) reject(call.signal.reason);
        else resolve();
      };
      if (heeds && call.signal.aborted) return reject(call.signal.reason);
      this.#waiting.add(go);
      if (heeds) call.signal.addEventListener("abort", leave, { once: true });
    });
  }

  async playAll(jobs: readonly Promise<void>[]): Promise<void> {
    let playing = true;
    const all = Promise.all(jobs).finally(() => {
      playing = false;
    });
    all.catch(() => {});
    for (;;) {
      // Runs everything that can run without a turn.
      await new Promise(setImmediate);
      const waiting = [...this.#waiting];
      const next = waiting[this.#random(waiting.length)];
      if (!next) break;
      this.#waiting.delete(next);
      next();
    }
    if (playing) throw new Error("hang: builds wait, but nothing can go on");
    await all;
  }
}

type Random = (below: number) => number;

/** Mulberry32: whole numbers from 0 up to, without, `below`. */
function createRandom(seed: number): Random {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return below <= 0 ? 0 : ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

function hash(text: string): number {
  let state = 2166136261;
  for (let index = 0; index < text.length; index++) {
    state = Math.imul(state ^ text.charCodeAt(index), 16777619) >>> 0;
  }
  return state;
}
