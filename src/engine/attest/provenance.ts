// SLSA provenance of one platform's result (slsa.dev/spec/v0.2 and v1), with the fields that BuildKit gives it (D-60).
import type { Attrs } from "../../api/index.ts";
import { sortedRecord } from "../../base/index.ts";
import type { Definition } from "../../formats/llb/index.ts";
import type { Capture, Material } from "./capture.ts";
import type { ProvenanceOptions } from "./options.ts";
import { redactCredentials } from "./redact.ts";
import { type BuildSteps, describeSource, describeSteps } from "./steps.ts";

/** What one build says of one platform's result. */
export interface ProvenanceFacts {
  readonly frontend: string;
  /** As they came with the request. */
  readonly attrs: Attrs;
  readonly capture: Capture;
  /** Undefined is scratch. */
  readonly definition: Definition | undefined;
  /** The builder's own. */
  readonly builderPlatform: string;
  /** Name and version of what emulated steps, by their platform. */
  readonly emulators: Readonly<Record<string, string>>;
  readonly invocationId: string;
  readonly startedOn: Date;
  readonly finishedOn: Date;
  /** Layers of steps by `STEP:OUTPUT`, as descriptors in JSON. */
  readonly layers: Readonly<Record<string, unknown>>;
}

const buildTypes = {
  v1: "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md",
  "v0.2": "https://mobyproject.org/buildkit@v1",
} as const;

/** The type of the predicate, by version. */
export const predicateTypes = {
  v1: "https://slsa.dev/provenance/v1",
  "v0.2": "https://slsa.dev/provenance/v0.2",
} as const;

/** What both versions tell, in neither's words. */
interface Told {
  readonly configSource: {
    readonly uri?: string;
    readonly digest?: Material["digest"];
    readonly path?: string;
  };
  readonly request: Readonly<Record<string, unknown>>;
  readonly steps: BuildSteps | undefined;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly complete: boolean;
  /** All parameters are told. */
  readonly whole: boolean;
  readonly hermetic: boolean;
}

/** The predicate: members in the reference's order. No secret is in it, and no credentials of any address. */
export function provenancePredicate(facts: ProvenanceFacts, options: ProvenanceOptions): unknown {
  const told = tell(facts, options);
  return options.version === "v1"
    ? predicateV1(facts, options, told)
    : predicateV02(facts, options, told);
}

function tell(facts: ProvenanceFacts, { mode }: ProvenanceOptions): Told {
  const { capture, definition } = facts;
  const incomplete = capture.proxy?.incomplete ?? [];
  const complete = capture.locals.length === 0 && incomplete.length === 0;
  const { args, configSource, vcs } = readAttrs(facts);
  const all = mode === "max";
  const lentNothing = capture.secrets.length === 0 && capture.ssh.length === 0;
  const lent = (list: Capture["secrets"]) =>
    list.map(({ id, optional }) => ({ id, ...(optional ? { optional } : {}) }));
  const shown = all ? args : args.filter(([key]) => !/^(build-arg|label):/.test(key));
  const source = all && definition ? describeSource(definition) : undefined;
  return {
    configSource,
    request: defined({
      frontend: facts.frontend || undefined,
      args: shown.length > 0 ? sortedRecord(Object.fromEntries(shown)) : undefined,
      secrets: all ? nonEmpty(lent(capture.secrets)) : undefined,
      ssh: all ? nonEmpty(lent(capture.ssh)) : undefined,
      locals: nonEmpty(capture.locals.map((name) => ({ name }))),
    }),
    steps: all && definition ? describeSteps(definition) : undefined,
    metadata: defined({
      vcs: Object.keys(vcs).length > 0 ? sortedRecord(vcs) : undefined,
      source,
      proxyNetwork: capture.proxy ? true : undefined,
      proxyIncomplete: nonEmpty(incomplete),
      layers: all && Object.keys(facts.layers).length > 0 ? facts.layers : undefined,
    }),
    complete,
    whole: facts.frontend !== "" && (all || (shown.length === args.length && lentNothing)),
    hermetic: complete && !capture.network,
  };
}

function predicateV02(facts: ProvenanceFacts, options: ProvenanceOptions, told: Told): unknown {
  const { uri, digest, path } = told.configSource;
  return defined({
    builder: { id: options.builderId },
    buildType: buildTypes["v0.2"],
    materials: nonEmpty(facts.capture.materials),
    invocation: {
      configSource: defined({ uri, digest, entryPoint: path }),
      parameters: told.request,
      environment: defined({
        platform: facts.builderPlatform,
        emulators: nonEmptyRecord(facts.emulators),
      }),
    },
    buildConfig: told.steps,
    metadata: defined({
      buildInvocationID: facts.invocationId,
      buildStartedOn: facts.startedOn.toISOString(),
      buildFinishedOn: facts.finishedOn.toISOString(),
      completeness: {
        parameters: told.whole,
        environment: true,
        materials: told.complete,
      },
      reproducible: options.reproducible,
      "https://mobyproject.org/buildkit@v1#metadata": told.metadata,
      "https://mobyproject.org/buildkit@v1#hermetic": told.hermetic || undefined,
    }),
  });
}

function predicateV1(facts: ProvenanceFacts, options: ProvenanceOptions, told: Told): unknown {
  const { steps } = told;
  return {
    buildDefinition: defined({
      buildType: buildTypes.v1,
      resolvedDependencies: nonEmpty(facts.capture.materials),
      externalParameters: { configSource: told.configSource, request: told.request },
      internalParameters: defined({
        buildConfig: steps && {
          digestMapping: steps.digestMapping,
          llbDefinition: steps.llbDefinition,
        },
        builderPlatform: facts.builderPlatform,
        emulators: nonEmptyRecord(facts.emulators),
      }),
    }),
    runDetails: {
      builder: { id: options.builderId },
      metadata: defined({
        invocationId: facts.invocationId,
        startedOn: facts.startedOn.toISOString(),
        finishedOn: facts.finishedOn.toISOString(),
        buildkit_metadata: told.metadata,
        buildkit_hermetic: told.hermetic || undefined,
        buildkit_completeness: {
          request: told.whole,
          resolvedDependencies: told.complete,
        },
        buildkit_reproducible: options.reproducible || undefined,
      }),
    },
  };
}

/** What depends on the machine or the session only, and what is told elsewhere. */
const untold =
  /^(cgroup-parent|image-resolve-mode|platform|cache-imports|contextkey|dockerfilekey|filename)$|^(attest|local-sessionid|input-metadata|vcs):|^build-arg:BUILDKIT_ATTEST_/;

/** The request's attributes, apart: what was configured, the parameters, what version control said. */
function readAttrs({ attrs, capture, frontend }: ProvenanceFacts) {
  const contextKey = attrs["contextkey"] || "context";
  const context = attrs[contextKey];
  const redacted = Object.entries(attrs).map(
    ([key, value]) => [key, redactCredentials(value)] as const,
  );
  const vcs = redacted
    .filter(([key, value]) => key.startsWith("vcs:") && value !== "")
    .map(([key, value]) => [key.slice("vcs:".length), value] as const);
  const uri = context ? redactCredentials(context) : undefined;
  const material = uri === undefined ? undefined : findMaterial(uri, capture.materials);
  return {
    args: redacted.filter(([key]) => !untold.test(key) && key !== contextKey),
    configSource: defined({
      uri: material?.uri ?? uri,
      digest: material?.digest,
      path: attrs["filename"] || (frontend === "dockerfile.v0" ? "Dockerfile" : undefined),
    }),
    vcs: Object.fromEntries(vcs),
  };
}

/** The context among what was fetched: its subdirectory is no part of a repository's name. */
function findMaterial(uri: string, materials: readonly Material[]): Material | undefined {
  const plain = uri.replace(/(#[^:]*):.*$/, "$1").replace(/#$/, "");
  return materials.find((one) => one.uri === uri || one.uri === plain);
}

function nonEmptyRecord(
  record: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> | undefined {
  return Object.keys(record).length === 0 ? undefined : record;
}

function nonEmpty<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length === 0 ? undefined : list;
}

function defined<T extends Readonly<Record<string, unknown>>>(
  record: T,
): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: NonNullable<T[K]>;
  };
}
