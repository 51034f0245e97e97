// Names of work: what the same step on the same inputs is called, in this build and in all later ones.
import { type Call, type Digest, digestHex, digestOf, isDigest } from "../../base/index.ts";
import type { CacheKeyId, CacheLink, CacheStore } from "./cache-store.ts";
import type { CacheMap } from "./types.ts";

/** Under which names the cache may know a result. */
export interface EdgeKeys {
  /** Never empty; the first is what steps built on this result derive their own names from. */
  readonly names: readonly CacheKeyId[];
  /**
   * The result is (or will be) newer than anything that the cache holds for steps built on these names, because a step
   * below ran though it was cached. Such names are good for saving, not for looking up.
   */
  readonly fresh: boolean;
}

/** What is known of one input when its user's own name is derived. */
export interface InputKeys extends EdgeKeys {
  /** Name made of the input's content; where known it counts instead of the input's history. */
  readonly content?: CacheKeyId;
}

/** The name of a content digest, as if it were a result's: a root of the graph, named as BuildKit names it. */
export function contentKey(digest: Digest): CacheKeyId {
  return rootKey(digest, -1);
}

function rootKey(digest: Digest, output: number): CacheKeyId {
  return digestHex(digestOf(`${digest}@${output}`));
}

/** The name of a step on its inputs; outputs of one execution differ in the last part only (`edgeKey`). */
export function stepKey<Result>(map: CacheMap<Result>, inputs: readonly InputKeys[]): CacheKeyId {
  if (inputs.length === 0) return map.digest;
  const parts = inputs.map((input, index) => {
    const selector = map.inputs[index]?.selector ?? "";
    return `${input.content ?? input.names[0]} ${selector}\n`;
  });
  return digestHex(digestOf(`${map.digest}\n${parts.join("")}`));
}

export function edgeKey(step: CacheKeyId, output: number): CacheKeyId {
  // A step without inputs is named by what it is alone, so that every cache names it the same.
  return isDigest(step) ? rootKey(step, output) : `${step}.${output}`;
}

/** Whether a step is newer than the cache: unless content vouches for them, fresh inputs make their users fresh. */
export function isFresh(inputs: readonly InputKeys[]): boolean {
  return inputs.some((input) => input.fresh && input.content === undefined);
}

/** Contents are linked as such: which part of an input they were found in is in the digest. */
export function contentLink({ step, input, output }: CacheLink): CacheLink {
  return { step, input, output };
}

/** The link that leads from input `input` to output `output` of a step. */
export function linkOf<Result>(map: CacheMap<Result>, input: number, output: number): CacheLink {
  const selector = map.inputs[input]?.selector;
  return { step: map.digest, input, output, ...(selector === undefined ? {} : { selector }) };
}

/** Where one input leads to: by its content where that is known, else by any of its names. The latest linked first. */
export async function follow<Result>(
  input: InputKeys,
  link: CacheLink,
  cache: CacheStore<Result>,
  call: Call,
): Promise<ReadonlySet<CacheKeyId>> {
  if (input.content !== undefined) {
    return new Set(await cache.query(input.content, contentLink(link), call));
  }
  if (input.fresh) return new Set();
  const reached = new Set<CacheKeyId>();
  for (const name of input.names) {
    for (const key of await cache.query(name, link, call)) reached.add(key);
  }
  return reached;
}

/** Keys that every input leads to, in the first one's order. */
export function intersect(reached: readonly ReadonlySet<CacheKeyId>[]): readonly CacheKeyId[] {
  const [first, ...rest] = reached;
  return first ? [...first].filter((key) => rest.every((other) => other.has(key))) : [];
}
