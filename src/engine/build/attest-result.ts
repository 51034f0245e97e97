// What a build says about its results beside them: collected while it runs, written down when results are exported.
import type { BuildRequest } from "../../api/index.ts";
import { KilnError } from "../../base/index.ts";
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
import type { ResultAttestation } from "../exporter/index.ts";
import { baseOf } from "./early-packing.ts";

/** What is learnt of a build on its way, for what is said about its results. */
export class BuildNotes {
  readonly startedOn: Date;
  readonly #written = new Map<string, string>();
  readonly #pins = new Map<string, string>();
  readonly #read: { readonly graph: LlbGraph; readonly definition: Definition }[] = [];

  constructor(startedOn: Date) {
    this.startedOn = startedOn;
  }

  /** A name was looked up, and stands for an image. */
  looked(reference: string, pinned: string): void {
    this.#written.set(pinned, reference);
  }

  /** A source was asked what it is now. */
  pinned({ digest }: LlbVertex, pin: string): void {
    // Pins name what they pin: `URL#COMMIT`, `URL@DIGEST`.
    this.#pins.set(digest, pin.slice(Math.max(pin.lastIndexOf("#"), pin.lastIndexOf("@")) + 1));
  }

  /** The frontend read these files. */
  read(definition: Definition, graph: LlbGraph): void {
    this.#read.push({ definition, graph });
  }

  /** What was read first is where the build was described. */
  get fileDefinition(): Definition | undefined {
    return this.#read[0]?.definition;
  }

  /** Of one platform's result. */
  capture(graph: LlbGraph | undefined, platform: Platform): Capture {
    const vertices = [...this.#read.map((one) => one.graph), graph].flatMap(
      (one) => one?.vertices ?? [],
    );
    return captureBuild(vertices, {
      platform,
      written: (pinned) => this.#written.get(pinned),
      pinOf: ({ digest }) => this.#pins.get(digest),
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
  { notes, platforms, now, masked }: AttestParts,
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
    fileDefinition: notes.fileDefinition,
    builderPlatform: formatPlatform(native),
    invocationId: request.ref,
    startedOn: notes.startedOn,
    finishedOn: now(),
    layers: definition ? layersOfSteps(definition, graph?.result, layers) : {},
  };
  return JSON.parse(masked(JSON.stringify(provenancePredicate(facts, options))));
}

/** What `complete-materials` demands: everything that went in has a name and a digest. */
function checkComplete({ locals }: Capture): void {
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
