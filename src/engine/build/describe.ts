// From a request to what is to be solved: by a frontend, by whoever drives the build, or as the request itself says.
import type { BuildRequest, FrontendResult, Session } from "../../api/index.ts";
import { type Call, KilnError } from "../../base/index.ts";
import { defaultImageConfig, formatPlatform, type Platform } from "../../formats/oci/index.ts";
import type { OpResult } from "../ops/index.ts";
import { openSourcePolicy, type SourceRules } from "../policy/index.ts";
import { type BuildProxy, createBuildProxy } from "../proxy/index.ts";
import type { BuildNotes } from "./attest-result.ts";
import {
  allowedResult,
  type BridgeParts,
  createBridge,
  refOf,
  refOfView,
  resultOf,
} from "./bridge.ts";
import { type BuildContainers, buildContainers } from "./containers.ts";
import { type Grants, readAllowed } from "./entitlements.ts";
import type { ExplainedJob } from "./explained-job.ts";
import type { BuildParts, RunningParts } from "./parts.ts";
import { resourcesOf } from "./resources.ts";
import { resolveSourceMeta } from "./source-meta.ts";
import type { VertexBuild } from "./vertices.ts";

/** What is to be solved and exported: as the frontend says, or the request's own definition for the native platform. */
export async function describe(
  request: BuildRequest,
  session: Session,
  job: ExplainedJob,
  parts: DescribingParts,
  call: Call,
): Promise<FrontendResult> {
  const found = await describeAsAsked(request, session, job, parts, call);
  return await allowedResult(found, parts.rules, call);
}

/** With what the request is granted and what is noted on the way. */
export type DescribingParts = Omit<RunningParts, "images"> &
  Pick<BridgeParts, "images" | "rules" | "importCaches"> & {
    readonly granted: Grants;
    readonly notes?: BuildNotes;
    /** Absent while nothing may run. */
    readonly beside?: BuildContainers;
  };

/** Processes beside steps. Dispose it to end them. */
export function containersOf(
  session: Session,
  granted: Grants,
  { containers, platforms, proxy }: BuildParts & { readonly proxy?: BuildProxy },
): BuildContainers {
  const [native] = platforms;
  if (!native) throw new Error("no platform can be built here");
  const refs = { resultOf, refOf: (result: OpResult) => result && refOf(result), refOfView };
  const behind = proxy ? { proxy } : {};
  return buildContainers({ ...containers, ...refs, ...behind, session, granted, native });
}

/** The request's rules for sources. Throws `REQUEST_INVALID`. */
export function rulesOf(request: BuildRequest, session: Session, parts: BuildParts): SourceRules {
  const { sourcePolicies = [], checkSource } = request;
  return openSourcePolicy({
    policies: sourcePolicies,
    meta: metaOf(parts, session),
    ...(checkSource ? { check: checkSource } : {}),
  });
}

/** What the request's steps are kept behind; undefined where they are not. */
export function proxyOf(
  { proxyNetwork }: BuildRequest,
  rules: SourceRules,
  { now, proxyNetwork: always }: BuildParts,
): BuildProxy | undefined {
  if (!proxyNetwork && !always) return undefined;
  return createBuildProxy({
    judge: (source, call) => rules.source(source, undefined, call),
    now,
  });
}

function metaOf(
  parts: Pick<BridgeParts, "images" | "sources" | "platforms">,
  session: Session,
): BridgeParts["meta"] {
  return (source, options, call) => resolveSourceMeta(source, options, parts, session, call);
}

async function describeAsAsked(
  request: BuildRequest,
  session: Session,
  job: ExplainedJob,
  parts: DescribingParts,
  call: Call,
): Promise<FrontendResult> {
  const { drive, frontend: name, attrs, inputs = {} } = request;
  if (!drive && name === undefined) return definitionResult(request, parts.platforms);
  const { beside } = parts;
  // Whoever drives a build may want to look into steps that fail.
  const keep: Pick<VertexBuild, "onFailure"> =
    drive && beside ? { onFailure: (vertex, failed) => beside.failed(vertex, failed) } : {};
  const bridge = createBridge({
    ...parts,
    ...(beside ? { containers: beside } : { containers: undefined }),
    session,
    inputs,
    meta: metaOf(parts, session),
    solve: (definition, solving) => {
      const graph = readAllowed(definition, parts.granted);
      parts.notes?.read(graph);
      const build = nesting(
        { ...sharedBy(request, session, parts, parts.notes), ...keep },
        job,
        parts.granted,
        parts.rules,
      );
      return job.solve(graph, build, solving);
    },
    looked: (reference, pinned) => parts.notes?.looked(reference, pinned),
  });
  if (drive) return await drive(bridge, call);
  return await bridge.frontend({ name: name as string, attrs, inputs }, call);
}

function definitionResult(request: BuildRequest, platforms: readonly Platform[]): FrontendResult {
  const [platform] = platforms;
  if (!platform || !request.definition) {
    throw new KilnError(
      "DEFINITION_INVALID",
      "the request has neither a frontend nor a definition",
    );
  }
  const config = defaultImageConfig(platform);
  const definition = request.definition.ops.length > 0 ? request.definition : undefined;
  const one = { platform, id: formatPlatform(platform), definition, config };
  return { platforms: [one], multiPlatform: false, metadata: {} };
}

/** What all steps of a build have in common. */
export function sharedBy(
  request: BuildRequest,
  session: Session,
  { manyClients = false, proxy }: Pick<BuildParts, "manyClients"> & { readonly proxy?: BuildProxy },
  notes?: BuildNotes,
): VertexBuild {
  const resources = resourcesOf(request.attrs, request.resources);
  const onPin: VertexBuild["onPin"] = (vertex, pin) => notes?.pinned(vertex, pin);
  const onFetched: VertexBuild["onFetched"] = (vertex, fetched) => notes?.fetched(vertex, fetched);
  return {
    ...{ session, manyClients, onPin },
    ...(proxy ? { proxy, onFetched } : {}),
    ...(resources === undefined ? {} : { resources }),
  };
}

/** With a way for steps that are builds themselves; what they build may do no more than the build around them. */
export function nesting(
  build: VertexBuild,
  job: ExplainedJob,
  granted: Grants,
  rules: SourceRules,
): VertexBuild {
  return {
    ...build,
    async solve(asked, inside, call) {
      const definition = await rules.definition(asked, call);
      const graph = readAllowed(definition, granted);
      // It would wait for itself.
      if (graph.vertices.some(({ digest }) => inside.includes(digest)))
        throw new KilnError("DEFINITION_INVALID", "a nested build needs its own result");
      return await job.solve(graph, { ...nesting(build, job, granted, rules), inside }, call);
    },
  };
}
