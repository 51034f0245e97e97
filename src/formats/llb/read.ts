// Reads a definition that may come from anybody: every op decoded and checked, edges resolved.
import { digestOf } from "../../base/index.ts";
import { invalid } from "./checks.ts";
import { type DecodedOp, decodeOp } from "./decode.ts";
import type { Definition, DefinitionOp, SourceLocation } from "./definition.ts";
import type { LlbEdge, LlbGraph, LlbVertex } from "./graph.ts";
import { nameOf } from "./op-name.ts";
import type { Op } from "./ops.ts";

/** Most ops of one definition. */
export const MAX_OPS = 100_000;

/**
 * The graph of a definition. Throws `DEFINITION_INVALID` for digests that are not those of the bytes, inputs or outputs
 * that do not exist, values that are not known, and what exceeds a limit. Ops that the result does not need are left out.
 */
export function readDefinition(definition: Definition): LlbGraph {
  const { ops } = definition;
  const last = ops.at(-1);
  if (last === undefined) return { result: undefined, vertices: [] };
  if (ops.length > MAX_OPS) throw invalid(`it has more than ${MAX_OPS} ops`);
  const byDigest = new Map<string, { source: DefinitionOp; decoded: DecodedOp }>();
  for (const source of ops) {
    if (digestOf(source.bytes) !== source.digest)
      throw invalid(`an op does not have the digest ${source.digest}`);
    byDigest.set(source.digest, { source, decoded: decodeOp(source.bytes) });
  }
  const end = decodeOp(last.bytes);
  if (end.op !== undefined || end.inputs.length > 1)
    throw invalid("its last op does not point at the result");
  const [target] = end.inputs;
  if (target === undefined) return { result: undefined, vertices: [] };

  const done = new Map<string, LlbVertex>();
  const order: LlbVertex[] = [];
  // Depth first without recursion: a chain may be longer than the stack is deep.
  const path: { digest: string; next: number }[] = [{ digest: target.digest, next: 0 }];
  const onPath = new Set<string>([target.digest]);
  for (let at = path.at(-1); at !== undefined; at = path.at(-1)) {
    const found = byDigest.get(at.digest);
    if (found === undefined) throw invalid(`an input is missing: ${at.digest.slice(0, 80)}`);
    const input = found.decoded.inputs[at.next++];
    if (input === undefined) {
      const vertex = toVertex(
        found.source,
        found.decoded,
        done,
        definition.locations?.get(found.source.digest) ?? [],
      );
      done.set(at.digest, vertex);
      order.push(vertex);
      onPath.delete(at.digest);
      path.pop();
    } else if (!done.has(input.digest)) {
      if (onPath.has(input.digest)) throw invalid("its ops need one another in a circle");
      onPath.add(input.digest);
      path.push({ digest: input.digest, next: 0 });
    }
  }
  return { result: toEdge(target, done), vertices: order };
}

function toVertex(
  source: DefinitionOp,
  decoded: DecodedOp,
  done: ReadonlyMap<string, LlbVertex>,
  locations: readonly SourceLocation[],
): LlbVertex {
  const { op } = decoded;
  if (op === undefined)
    throw invalid("an op in the middle of it does nothing or is of a kind that is not known");
  const inputs = decoded.inputs.map((input) => toEdge(input, done));
  return {
    digest: source.digest,
    op,
    encoded: source.bytes,
    ...(decoded.platform === undefined ? {} : { platform: decoded.platform }),
    inputs,
    metadata: source.metadata,
    name: source.metadata.description["llb.customname"] ?? nameOf(op, inputs),
    locations,
  };
}

function toEdge(
  input: { digest: string; output: number },
  done: ReadonlyMap<string, LlbVertex>,
): LlbEdge {
  const vertex = done.get(input.digest);
  if (vertex === undefined) throw invalid(`an input is missing: ${input.digest.slice(0, 80)}`);
  const outputs = outputsOf(vertex.op);
  if (input.output >= outputs)
    throw invalid(`output ${input.output} does not exist, the op has ${outputs}`);
  return { vertex, output: input.output };
}

function outputsOf(op: Op): number {
  if (op.kind === "passthrough") return op.outputs.length;
  return op.kind === "exec" || op.kind === "file" ? op.outputs : 1;
}
