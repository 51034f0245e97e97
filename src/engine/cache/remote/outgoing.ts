// Puts an outgoing cache together: the keys that lead to a build's results, and the results that are to travel.
import { type Digest, isDigest } from "../../../base/index.ts";
import type {
  CacheConfig,
  CacheLayer,
  CacheResult,
  ConfigRecord,
} from "../../../formats/cacheconfig/index.ts";
import type { CacheKeyId } from "../../solver/index.ts";
import type { Backlinks } from "../local-cache-store.ts";
import type { OutgoingLayer } from "./backend.ts";

/** A key on the way to a result. */
export interface OutgoingKey {
  readonly name: CacheKeyId;
  readonly digest: Digest;
  readonly ways: readonly {
    readonly from: CacheKeyId;
    readonly input: number;
    readonly selector: string;
  }[];
}

/** All keys that lead to `targets`, by name. */
export function keysBelow(
  targets: readonly CacheKeyId[],
  backlinks: Backlinks,
): ReadonlyMap<CacheKeyId, OutgoingKey> {
  const names = new Set(targets);
  const keys = new Map<CacheKeyId, OutgoingKey>();
  for (const name of names) {
    const links = backlinks.get(name) ?? [];
    const digest = links[0]?.digest ?? `sha256:${name}`;
    // A key that nothing leads to any more, and that is no root.
    if (!isDigest(digest)) continue;
    keys.set(name, { name, digest, ways: links });
    for (const { from } of links) names.add(from);
  }
  return keys;
}

/** A key's result: its layers, oldest first. */
export interface OutgoingResult {
  readonly layers: readonly OutgoingLayer[];
  readonly createdAt: Date;
}

/** The document, records and layers in the order of their digests, and the layers that it lists. */
export function assembleConfig(
  keys: ReadonlyMap<CacheKeyId, OutgoingKey>,
  results: ReadonlyMap<CacheKeyId, OutgoingResult>,
): { readonly config: CacheConfig; readonly layers: readonly OutgoingLayer[] } {
  const { layers, indexOf } = layerList([...results.values()]);
  const sorted = [...keys.values()].sort(
    (a, b) => compare(a.digest, b.digest) || compare(a.name, b.name),
  );
  const positions = new Map(sorted.map(({ name }, at) => [name, at]));
  const records = sorted.map(({ name, digest, ways }): ConfigRecord => {
    const result = results.get(name);
    return {
      digest,
      inputs: inputsOf(ways, positions),
      results: result ? [toResult(result, indexOf(result))] : [],
    };
  });
  return {
    config: { layers: layers.map(({ entry }) => entry), records },
    layers: layers.map(({ layer }) => layer),
  };
}

function toResult({ createdAt }: OutgoingResult, top: number): CacheResult {
  return { layers: { top }, createdAt: createdAt.toISOString() };
}

function inputsOf(
  ways: OutgoingKey["ways"],
  positions: ReadonlyMap<CacheKeyId, number>,
): ConfigRecord["inputs"] {
  const inputs: Map<string, { readonly link: number; readonly selector: string }>[] = [];
  for (const { from, input, selector } of ways) {
    const link = positions.get(from);
    if (link === undefined) continue;
    while (inputs.length <= input) inputs.push(new Map());
    inputs[input]?.set(`${link} ${selector}`, { link, selector });
  }
  return inputs.map((links) =>
    [...links.values()].sort((a, b) => a.link - b.link || compare(a.selector, b.selector)),
  );
}

interface ListedLayer {
  readonly id: string;
  readonly parentId: string;
  readonly layer: OutgoingLayer;
}

/** Each chain of layers once. */
function layerList(results: readonly OutgoingResult[]) {
  const found = new Map<string, ListedLayer>();
  const idOf = ({ layers }: OutgoingResult) =>
    layers.map(({ descriptor }) => descriptor.digest).join(" ");
  for (const { layers } of results) {
    let parentId = "";
    for (const layer of layers) {
      const id =
        parentId === "" ? layer.descriptor.digest : `${parentId} ${layer.descriptor.digest}`;
      if (!found.has(id)) found.set(id, { id, parentId, layer });
      parentId = id;
    }
  }
  const sorted = [...found.values()].sort(
    (a, b) => compare(a.layer.descriptor.digest, b.layer.descriptor.digest) || compare(a.id, b.id),
  );
  const positions = new Map(sorted.map(({ id }, at) => [id, at]));
  return {
    layers: sorted.map(({ parentId, layer }) => ({ layer, entry: toEntry(layer, parentId) })),
    indexOf: (result: OutgoingResult) => positions.get(idOf(result)) ?? -1,
  };

  function toEntry({ descriptor, diffId, createdAt }: OutgoingLayer, parentId: string): CacheLayer {
    const { digest, mediaType, size } = descriptor;
    const parent = parentId === "" ? -1 : (positions.get(parentId) ?? -1);
    const annotations = { mediaType, diffId, size, createdAt: createdAt.toISOString() };
    return { blob: digest, parent, annotations };
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
