// A definition that exists already as a state to build on: its ops go into other definitions as they are.
import { type DecodedOp, decodeOp } from "./decode.ts";
import type { Definition, DefinitionOp, SourceLocation } from "./definition.ts";
import { readDefinition } from "./read.ts";
import { type State, scratch } from "./state.ts";
import type { Output, Vertex } from "./vertex.ts";

/** What the definition describes; the empty definition is the empty file system. Throws `DEFINITION_INVALID`. */
export function stateOf(definition: Definition): State {
  const { result, vertices } = readDefinition(definition);
  if (result === undefined) return scratch();
  const ops = new Map<string, DefinitionOp>(definition.ops.map((op) => [op.digest, op]));
  const made = new Map<string, Vertex>();
  // Inputs come before their users.
  for (const { digest, locations } of vertices) {
    const op = ops.get(digest);
    if (op === undefined) throw new Error("a vertex has no op");
    made.set(digest, marshalledVertex(op, decodeOp(op.bytes), locations, made));
  }
  const vertex = made.get(result.vertex.digest);
  if (vertex === undefined) throw new Error("the result has no vertex");
  return scratch().withOutput({ vertex, index: result.output });
}

function marshalledVertex(
  marshalled: DefinitionOp,
  { inputs }: DecodedOp,
  locations: readonly SourceLocation[],
  made: ReadonlyMap<string, Vertex>,
): Vertex {
  return {
    constraints: { locations },
    platform: undefined,
    caps: [],
    inputs: inputs.flatMap(({ digest, output }): Output[] => {
      const vertex = made.get(digest);
      return vertex === undefined ? [] : [{ vertex, index: output }];
    }),
    marshalled,
    write() {
      throw new Error("an op that has bytes is not written again");
    },
  };
}
