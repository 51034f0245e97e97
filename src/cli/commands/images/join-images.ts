// Joining what several nodes pushed: the images are in every repository by digest, the index and its tags come last.
import type { Call } from "../../../base/index.ts";
import type { Descriptor } from "../../../formats/oci/index.ts";
import { combineSources } from "../../../storage/image/index.ts";
import type { RunWorld } from "../command.ts";
import { openPlaces } from "./image-places.ts";
import { openSource } from "./image-sources.ts";
import { groupTargets, stageImage, tagImage } from "./image-targets.ts";

/** What is joined; annotations of the images are those of their entries in the index. */
export interface Joined {
  readonly images: readonly Descriptor[];
  /** Of the index. */
  readonly annotations: Readonly<Record<string, string>>;
}

/** Makes one index of `images`, which lie in the repository of each of `names`, and tags it with all names. */
export async function joinImages(
  names: readonly string[],
  { images, annotations }: Joined,
  world: RunWorld,
  call: Call,
): Promise<Descriptor> {
  using places = await openPlaces(world);
  const targets = groupTargets(names.map((name) => places.place(name)));
  const [first] = targets;
  if (!first) throw new Error("nothing to join");
  const own = { ...world, call };
  const sources = await Promise.all(
    images.map((descriptor) => {
      const place = places.place(`${first.place.repository}@${descriptor.digest}`);
      return openSource(
        { source: { kind: "json", text: descriptor.digest, descriptor }, place },
        own,
      );
    }),
  );
  const options = {
    platforms: [],
    preferIndex: true,
    indexAnnotations: annotations,
    entryAnnotations: [],
  };
  const combined = combineSources(sources, options);
  for (const { place } of targets)
    await stageImage(place, combined, sources, () => undefined, call);
  for (const { place, tags } of targets)
    for (const tag of tags) await tagImage(place, tag, combined, call);
  return combined.descriptor;
}
