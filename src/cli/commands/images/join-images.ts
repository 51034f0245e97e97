// Joining what several nodes pushed: the images are in every repository by digest, the index and its tags come last.
import type { Call, Digest } from "../../../base/index.ts";
import type { Descriptor } from "../../../formats/oci/index.ts";
import { combineSources } from "../../../storage/image/index.ts";
import type { RunWorld } from "../command.ts";
import { openPlaces } from "./image-places.ts";
import { openSource } from "./image-sources.ts";
import { groupTargets, stageImage, tagImage } from "./image-targets.ts";

/** Makes one index of `digests`, which lie in the repository of each of `names`, and tags it with all names. */
export async function joinImages(
  names: readonly string[],
  digests: readonly Digest[],
  world: RunWorld,
  call: Call,
): Promise<Descriptor> {
  using places = await openPlaces(world);
  const targets = groupTargets(names.map((name) => places.place(name)));
  const [first] = targets;
  if (!first) throw new Error("nothing to join");
  const own = { ...world, call };
  const sources = await Promise.all(
    digests.map((digest) => {
      const place = places.place(`${first.place.repository}@${digest}`);
      return openSource({ source: { kind: "place", place }, place }, own);
    }),
  );
  const options = { platforms: [], preferIndex: true, indexAnnotations: {}, entryAnnotations: [] };
  const combined = combineSources(sources, options);
  for (const { place } of targets)
    await stageImage(place, combined, sources, () => undefined, call);
  for (const { place, tags } of targets)
    for (const tag of tags) await tagImage(place, tag, combined, call);
  return combined.descriptor;
}
