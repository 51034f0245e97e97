// Which node builds which platform: pinned ones first, then those whose own processor it is, then those that emulate it.
import { matchPlatform, type Platform, samePlatform } from "../../formats/oci/index.ts";

/** What is known of a node for the choice; `offered` is undefined where it could not be asked. */
export interface NodeOffer {
  readonly name: string;
  readonly pinned: readonly Platform[];
  /** Native first. */
  readonly offered: readonly Platform[] | undefined;
}

/** How well a node serves a platform; lower is better, undefined is not at all. */
export function fitness({ pinned, offered }: NodeOffer, platform: Platform): number | undefined {
  if (pinned.some((one) => samePlatform(one, platform))) return 0;
  if (pinned.some((one) => matchPlatform(one).matches(platform))) return 1;
  // Whoever pins platforms to a node means these and no others, as long as another node can do the rest.
  const late = pinned.length > 0 ? 10 : 0;
  const native = offered?.[0];
  if (native === undefined) return undefined;
  if (samePlatform(native, platform)) return 2 + late;
  if (matchPlatform(native).matches(platform)) return 3 + late;
  return offered?.some((one) => samePlatform(one, platform) || matchPlatform(one).matches(platform))
    ? 4 + late
    : undefined;
}

/** The nodes that can build `platform`, best first; equally good ones in the builder's order. */
export function nodesFor(nodes: readonly NodeOffer[], platform: Platform): readonly NodeOffer[] {
  return nodes
    .map((node) => ({ node, fitness: fitness(node, platform) }))
    .filter((one): one is { node: NodeOffer; fitness: number } => one.fitness !== undefined)
    .sort((a, b) => a.fitness - b.fitness)
    .map(({ node }) => node);
}
