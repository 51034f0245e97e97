// What a build would find in the cache, found out without running a step.
import type { Call, Digest } from "../../base/index.ts";
import type { EdgeState } from "./edge-state.ts";
import type { EdgeKeys, InputKeys } from "./keys.ts";
import type { MayLook } from "./types.ts";
import type { VertexState } from "./vertex-state.ts";

/** What would come of one output of a step. */
export interface Foreseen {
  readonly keys: EdgeKeys;
  /** A result is kept under one of the names. */
  readonly cached: boolean;
}

/**
 * Of every step below `target`, whether a result of it is kept, or none is needed. Contents of inputs are looked at where
 * `mayLook` allows it and names lead nowhere. A step whose input has to run is taken to have to run: whether equal content
 * comes of that is not known before.
 */
export async function foresee<Def, Result>(
  target: EdgeState<Def, Result>,
  mayLook: MayLook<Def>,
  call: Call,
): Promise<ReadonlyMap<Digest, boolean>> {
  const seen = new Map<EdgeState<Def, Result>, Promise<Foreseen>>();
  const visit = (edge: EdgeState<Def, Result>): Promise<Foreseen> => {
    const found = seen.get(edge) ?? visitNew(edge);
    seen.set(edge, found);
    return found;
  };
  const visitNew = async (edge: EdgeState<Def, Result>): Promise<Foreseen> => {
    const fast = await edge.foresee(undefined, call);
    if (fast.cached) return fast;
    const { vertex } = edge;
    const below = await Promise.all(vertex.inputs.map(visit));
    if (vertex.ignoreCache) return fast;
    const inputs = await Promise.all(
      below.map(async (input, index) =>
        (await edge.leadsOn(input.keys, index, call))
          ? input.keys
          : await withContent(vertex, input, index, mayLook, call),
      ),
    );
    const byName = await edge.foresee(inputs, call);
    if (byName.cached) return byName;
    const contents = await Promise.all(
      below.map((input, index) => withContent(vertex, input, index, mayLook, call)),
    );
    const byContent = await edge.foresee(contents, call);
    return byContent.cached ? byContent : byName;
  };
  await visit(target);
  return await statesOf(target, seen);
}

/** The input's names, with that of its content where it can be had now. */
async function withContent<Def, Result>(
  vertex: VertexState<Def, Result>,
  input: Foreseen,
  index: number,
  mayLook: MayLook<Def>,
  call: Call,
): Promise<InputKeys> {
  const map = await vertex.cacheMap.get(call);
  const state = vertex.inputs[index]?.vertex;
  const can = map.inputs[index]?.contentDigest && state && mayLook(state.vertex, input.cached);
  return can ? { ...input.keys, content: await vertex.content(index, call) } : input.keys;
}

/** From the top: what only cached steps would have used is not needed. */
async function statesOf<Def, Result>(
  target: EdgeState<Def, Result>,
  seen: ReadonlyMap<EdgeState<Def, Result>, Promise<Foreseen>>,
): Promise<ReadonlyMap<Digest, boolean>> {
  const states = new Map<Digest, boolean>();
  const all = new Set([target.vertex]);
  for (const vertex of all) {
    for (const input of vertex.inputs) all.add(input.vertex);
    states.set(vertex.vertex.digest, true);
  }
  const needed = new Set([target]);
  for (const edge of needed) {
    if ((await seen.get(edge))?.cached) continue;
    states.set(edge.vertex.vertex.digest, false);
    for (const input of edge.vertex.inputs) needed.add(input);
  }
  return states;
}
