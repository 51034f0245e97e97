// What a build says about its results beside them: collected while it runs, written down when results are exported.
import type { BuildRequest } from "../../api/index.ts";
import { type Call, type Digest, KilnError, sortedRecord } from "../../base/index.ts";
import type { Definition, LlbEdge, LlbGraph, LlbVertex } from "../../formats/llb/index.ts";
import { descriptorJson, formatPlatform, type Platform } from "../../formats/oci/index.ts";
import type { LayerBlob } from "../../storage/snapshot/index.ts";
import {
  type Capture,
  captureBuild,
  type ProvenanceFacts,
  type ProvenanceOptions,
  predicateTypes,
  provenancePredicate,
} from "../attest/index.ts";
import type { Executor } from "../executor/index.ts";
import type { StepHistory } from "../explain/index.ts";
import type { ResultAttestation } from "../exporter/index.ts";
import type { Fetched } from "../proxy/index.ts";
import { baseOf } from "./early-packing.ts";
import type { ExplainedJob } from "./explained-job.ts";

/** Pins of sources by vertex, from all builds: one that builds share is asked for one of them only. */
export class SharedPins {
  readonly #pins = new Map<string, string>();

  set(vertex: string, pin: string): void {
    // Last in the order of what is forgotten.
    this.#pins.delete(vertex);
    this.#pins.set(vertex, pin);
    const [oldest] = this.#pins.keys();
    if (this.#pins.size > maxSharedPins && oldest !== undefined) this.#pins.delete(oldest);
  }

  get(vertex: string): string | undefined {
    return this.#pins.get(vertex);
  }
}

const maxSharedPins = 10_000;

/** What steps fetched through proxies, in this build and before. */
export interface FetchMemory {
  fetched(step: Digest): Fetched | undefined;
  rememberFetched(step: Digest, fetched: Fetched): void;
}

/**
 * By the names that the cache knows steps' results by: the same step has them in every build. `masked` blots out secrets now:
 * a build that finds the step cached does not see them.
 */
export function rememberedFetches(
  { keysOf }: Pick<ExplainedJob, "keysOf">,
  history: Pick<StepHistory, "fetched" | "rememberFetched">,
  masked: (text: string) => string,
): FetchMemory {
  return {
    fetched: (step) => {
      for (const key of keysOf(step)) {
        const known = history.fetched(key);
        if (known) return known;
      }
      return undefined;
    },
    rememberFetched: (step, fetched) => {
      const told = JSON.parse(masked(JSON.stringify(fetched)));
      for (const key of keysOf(step)) history.rememberFetched(key, told);
    },
  };
}

/** What is learnt of a build on its way, for what is said about its results. */
export class BuildNotes {
  readonly startedOn: Date;
  readonly #shared: SharedPins;
  readonly #written = new Map<string, string>();
  readonly #pins = new Map<string, string>();
  readonly #read: LlbGraph[] = [];
  readonly #fetched = new Map<string, Fetched>();
  readonly #memory: FetchMemory | undefined;

  /** `memory`: of what steps fetched; present where they are behind a proxy. */
  constructor(startedOn: Date, shared: SharedPins, memory?: FetchMemory) {
    this.startedOn = startedOn;
    this.#memory = memory;
    this.#shared = shared;
  }

  /** A name was looked up, and stands for an image. */
  looked(reference: string, pinned: string): void {
    this.#written.set(pinned, reference);
  }

  /** A source was asked what it is now. */
  pinned({ digest }: LlbVertex, pin: string): void {
    // Pins name what they pin: `URL#COMMIT`, `URL@DIGEST`.
    const fixed = pin.slice(Math.max(pin.lastIndexOf("#"), pin.lastIndexOf("@")) + 1);
    this.#pins.set(digest, fixed);
    this.#shared.set(digest, fixed);
  }

  /** A step behind the proxy has run. */
  fetched({ digest }: LlbVertex, fetched: Fetched): void {
    this.#fetched.set(digest, fetched);
    this.#memory?.rememberFetched(digest, fetched);
  }

  /** The frontend read these files. */
  read(graph: LlbGraph): void {
    this.#read.push(graph);
  }

  /** Of one platform's result. */
  capture(graph: LlbGraph | undefined, platform: Platform): Capture {
    const vertices = [...this.#read, graph].flatMap((one) => one?.vertices ?? []);
    const memory = this.#memory;
    const fetchedBy = ({ digest }: LlbVertex) =>
      this.#fetched.get(digest) ?? memory?.fetched(digest);
    return captureBuild(vertices, {
      platform,
      ...(memory ? { fetchedBy } : {}),
      written: (pinned) => this.#written.get(pinned),
      // What this build did not ask itself, it shares with one that did.
      pinOf: ({ digest }) => this.#pins.get(digest) ?? this.#shared.get(digest),
    });
  }
}

/** One platform's result as it was described. */
export interface DescribedResult {
  readonly definition: Definition | undefined;
  readonly graph: LlbGraph | undefined;
}

export interface AttestParts {
  readonly notes: BuildNotes;
  /** Native first. */
  readonly platforms: readonly Platform[];
  readonly now: () => Date;
  /** What emulated steps of other platforms, by platform. */
  readonly emulators: Readonly<Record<string, string>>;
  /** Blots out secrets that the build has seen. */
  readonly masked: (text: string) => string;
}

/** The provenance of one result; computed when it is exported. */
export function attestProvenance(
  request: BuildRequest,
  result: DescribedResult,
  options: ProvenanceOptions,
  parts: AttestParts,
): ResultAttestation {
  return {
    predicateType: predicateTypes[options.version],
    filename: options.filename,
    inlineOnly: options.inlineOnly,
    predicate: async (layers) => describeProvenance(request, result, options, parts, layers),
  };
}

/** The predicate, without a secret in it. */
export function describeProvenance(
  request: BuildRequest,
  { definition, graph }: DescribedResult,
  options: ProvenanceOptions,
  { notes, platforms, now, emulators, masked }: AttestParts,
  layers: readonly LayerBlob[],
): unknown {
  const native = platforms[0] ?? { os: "linux", architecture: "amd64" };
  const capture = notes.capture(graph, native);
  if (options.completeMaterials) checkComplete(capture);
  const facts: ProvenanceFacts = {
    frontend: request.frontend ?? "",
    attrs: request.attrs,
    capture,
    definition,
    builderPlatform: formatPlatform(native),
    emulators: emulatorsIn(graph, emulators),
    invocationId: request.ref,
    startedOn: notes.startedOn,
    finishedOn: now(),
    layers: definition ? layersOfSteps(definition, graph?.result, layers) : {},
  };
  return JSON.parse(masked(JSON.stringify(provenancePredicate(facts, options))));
}

/** Those that this result's own steps needed. */
function emulatorsIn(
  graph: LlbGraph | undefined,
  emulators: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const platforms = new Set(execPlatforms(graph).map((platform) => formatPlatform(platform)));
  return Object.fromEntries(Object.entries(emulators).filter(([name]) => platforms.has(name)));
}

function execPlatforms(graph: LlbGraph | undefined): readonly Platform[] {
  return (graph?.vertices ?? []).flatMap(({ op, platform }) =>
    op.kind === "exec" && platform ? [platform] : [],
  );
}

/** Name and version of what emulates the steps of these results, by platform; without those that run natively. */
export async function emulatorsOf(
  graphs: readonly (LlbGraph | undefined)[],
  executor: () => Promise<Executor> | undefined,
  call: Call,
): Promise<Readonly<Record<string, string>>> {
  const all = new Map(
    graphs.flatMap(execPlatforms).map((platform) => [formatPlatform(platform), platform]),
  );
  const running = all.size === 0 ? undefined : await executor();
  if (running === undefined) return {};
  const found: [string, string][] = [];
  for (const [name, platform] of all) {
    const emulator = await running.emulatorOf(platform, call);
    if (emulator !== undefined) found.push([name, emulator]);
  }
  return sortedRecord(Object.fromEntries(found));
}

/** What `complete-materials` demands: everything that went in has a name and a digest. */
function checkComplete({ locals, proxy }: Capture): void {
  const [missed] = proxy?.incomplete ?? [];
  if (missed && locals.length === 0)
    throw new KilnError(
      "EXPORT_FAILED",
      missed.uri === ""
        ? "provenance cannot name all materials: nobody noted what a cached step fetched"
        : `provenance cannot name all materials: ${missed.method} ${missed.uri} (${missed.reason})`,
      {
        hint: "Build with --no-cache, let steps fetch whole files by GET, or leave out complete-materials.",
      },
    );
  if (locals.length === 0) return;
  throw new KilnError(
    "EXPORT_FAILED",
    `provenance cannot name all materials: ${locals.join(", ")} came from this machine's disk`,
    { hint: "Build from a repository or a URL, or leave out complete-materials." },
  );
}

/** Each step of the chain that the result was made by, with its layers: every one on top of its base has added one. */
function layersOfSteps(
  definition: Definition,
  result: LlbEdge | undefined,
  layers: readonly LayerBlob[],
): Readonly<Record<string, unknown>> {
  const ids = new Map<string, number>(definition.ops.map(({ digest }, index) => [digest, index]));
  const found: [string, unknown][] = [];
  let rest = layers.map(({ descriptor: { mediaType, digest, size } }) =>
    descriptorJson({ mediaType, digest, size }),
  );
  for (let edge = result; edge !== undefined && rest.length > 0; ) {
    const { vertex, output }: LlbEdge = edge;
    found.unshift([`step${ids.get(vertex.digest)}:${output}`, [rest]]);
    edge = baseOf(vertex, output);
    rest = rest.slice(0, -1);
  }
  return Object.fromEntries(found);
}
