// LLB's graph as the solver's: the same vertices, each with the session of the build that brought it.
import type { Session } from "../../api/index.ts";
import type { LlbEdge, LlbVertex } from "../../formats/llb/index.ts";
import type { OpDefinition } from "../ops/index.ts";
import type { Edge, Vertex } from "../solver/index.ts";

/** The edge with everything below it; shared vertices stay shared. */
export function toVertexEdge(
  edge: LlbEdge,
  session: Session,
  known: Map<string, Vertex<OpDefinition>> = new Map(),
): Edge<OpDefinition> {
  return { vertex: toVertex(edge.vertex, session, known), output: edge.output };
}

function toVertex(
  vertex: LlbVertex,
  session: Session,
  known: Map<string, Vertex<OpDefinition>>,
): Vertex<OpDefinition> {
  const seen = known.get(vertex.digest);
  if (seen) return seen;
  const { ignoreCache, progressGroup } = vertex.metadata;
  const made: Vertex<OpDefinition> = {
    digest: vertex.digest,
    name: vertex.name,
    def: { vertex, session },
    inputs: vertex.inputs.map((input) => toVertexEdge(input, session, known)),
    ...(ignoreCache ? { ignoreCache } : {}),
    ...(progressGroup ? { group: progressGroup } : {}),
  };
  known.set(vertex.digest, made);
  return made;
}
