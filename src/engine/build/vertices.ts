// LLB's graph as the solver's: the same vertices, each with the session of the build that brought it.
import type { LlbEdge, LlbVertex } from "../../formats/llb/index.ts";
import type { OpDefinition } from "../ops/index.ts";
import type { Edge, Vertex } from "../solver/index.ts";

/** What the vertices of one build have in common. */
export type VertexBuild = Omit<OpDefinition, "vertex">;

/** The edge with everything below it; shared vertices stay shared. */
export function toVertexEdge(
  edge: LlbEdge,
  build: VertexBuild,
  known: Map<string, Vertex<OpDefinition>> = new Map(),
  user?: LlbVertex,
): Edge<OpDefinition> {
  return { vertex: toVertex(edge.vertex, build, known, user), output: edge.output };
}

function toVertex(
  vertex: LlbVertex,
  build: VertexBuild,
  known: Map<string, Vertex<OpDefinition>>,
  user: LlbVertex | undefined,
): Vertex<OpDefinition> {
  const seen = known.get(vertex.digest);
  if (seen) return seen;
  const { ignoreCache, progressGroup } = vertex.metadata;
  const apart = apartOf(vertex, build);
  const made: Vertex<OpDefinition> = {
    digest: vertex.digest,
    name: vertex.name,
    def: { vertex: writtenWhere(vertex, user), ...build },
    inputs: vertex.inputs.map((input) => toVertexEdge(input, build, known, vertex)),
    ...(ignoreCache ? { ignoreCache } : {}),
    ...(apart ? { apart } : {}),
    ...(progressGroup ? { group: progressGroup } : {}),
  };
  known.set(vertex.digest, made);
  return made;
}

/**
 * Names are looked up with a client's own credentials; its secrets and agents serve its own steps. What runs behind a build's
 * proxy obeys that build's rules, and no other's.
 */
function apartOf(
  { op }: LlbVertex,
  { manyClients, proxy }: VertexBuild,
): Vertex<OpDefinition>["apart"] {
  if (proxy && op.kind === "exec") return "work";
  if (!manyClients) return undefined;
  if (op.kind === "source") return "lookup";
  if (op.kind !== "exec") return undefined;
  const lends = op.mounts.some(({ type }) => type === "secret" || type === "ssh");
  return lends || op.secretEnv.length > 0 ? "work" : undefined;
}

/** Only the step that ADD becomes says where it was written: what it fetches was written there too. */
function writtenWhere(vertex: LlbVertex, user: LlbVertex | undefined): LlbVertex {
  const { op, locations } = vertex;
  const fetched = op.kind === "source" && !op.identifier.startsWith("local://");
  return fetched && locations.length === 0 && user
    ? { ...vertex, locations: user.locations }
    : vertex;
}
