// Names that BuildKit's caches have for steps which go by another one here.
import { type Digest, digestHex } from "../../../base/index.ts";
import type { CacheKeyId } from "../../solver/index.ts";
import { outputDigest } from "./imported-store.ts";

/** Learnt while sources are looked up, asked when caches from elsewhere are. */
export interface OtherKeys {
  /** `other` is what a step without inputs may be called, too. */
  add(step: Digest, other: Digest): void;
  /** Of the step's first output, by its name here. */
  of(name: CacheKeyId): readonly CacheKeyId[];
}

/** The oldest are forgotten: the steps are run then, which is slower and not wrong. */
const mostSteps = 10_000;

export function createOtherKeys(): OtherKeys {
  const known = new Map<CacheKeyId, Set<CacheKeyId>>();
  const nameOf = (step: Digest) => digestHex(outputDigest(step, 0));
  return {
    add(step, other) {
      const name = nameOf(step);
      const others = known.get(name) ?? new Set();
      known.delete(name);
      known.set(name, others.add(nameOf(other)));
      const [oldest] = known.keys();
      if (known.size > mostSteps && oldest !== undefined) known.delete(oldest);
    },
    of: (name) => [...(known.get(name) ?? [])],
  };
}
