// The sources of `imagetools create`: names, digests in the repository at hand, and descriptors in JSON.
import { isDigest, isRecord, KilnError, parseJson, readAll } from "../../../base/index.ts";
import {
  type Descriptor,
  isConfigType,
  maxConfigSize,
  type Platform,
  parseDescriptor,
  parseImageConfig,
  parseManifestDocument,
  platformOfConfig,
} from "../../../formats/oci/index.ts";
import { type CombineSource, mergeDescriptors } from "../../../storage/image/index.ts";
import type { RunWorld } from "../command.ts";
import { askedFor, descriptorAt, type Place, type Places } from "./image-places.ts";

/** What one argument or file says. */
export type SourceText =
  | { readonly kind: "place"; readonly place: Place }
  | { readonly kind: "digest"; readonly text: string }
  | { readonly kind: "json"; readonly text: string; readonly descriptor: Partial<Descriptor> };

/** A source that has been looked up. */
export interface OpenSource extends CombineSource {
  readonly place: Place;
}

/** Throws `REFERENCE_INVALID`, `IMAGE_INVALID`. */
export function parseSource(text: string, places: Places): SourceText {
  const trimmed = text.trim();
  if (isDigest(trimmed)) return { kind: "digest", text: trimmed };
  if (!trimmed.startsWith("{")) return { kind: "place", place: places.place(trimmed) };
  const document = parseJson(trimmed, "source descriptor");
  if (!isRecord(document)) throw new KilnError("IMAGE_INVALID", "source descriptor: not an object");
  // What a registry knows as well may be left out: it is asked.
  const size = document["size"] ?? 0;
  return {
    kind: "json",
    text: trimmed,
    descriptor: parseDescriptor({ ...document, size }, "source descriptor"),
  };
}

/** Sources without a repository of their own are in the only one that tags and other sources name. */
export function placeSources(
  sources: readonly SourceText[],
  targets: readonly Place[],
  places: Places,
): readonly { readonly source: SourceText; readonly place: Place }[] {
  const named = sources.flatMap((source) => (source.kind === "place" ? [source.place] : []));
  const repositories = [...new Set([...targets, ...named].map(({ repository }) => repository))];
  return sources.map((source) => {
    if (source.kind === "place") return { source, place: source.place };
    const [repository] = repositories;
    if (repository === undefined || repositories.length > 1) {
      const why =
        repository === undefined ? "no repository is named" : "several repositories are named";
      throw new KilnError("FLAG_INVALID", `cannot tell where ${source.text} is: ${why}`, {
        hint: "Write the source as REPOSITORY@sha256:...",
      });
    }
    const digest = source.kind === "digest" ? source.text : source.descriptor.digest;
    return { source, place: places.place(`${repository}@${digest}`) };
  });
}

/** Looks a source up and reads its document; an image gets the platform that its configuration says. */
export async function openSource(
  { source, place }: { readonly source: SourceText; readonly place: Place },
  world: RunWorld,
): Promise<OpenSource> {
  const found = await descriptorAt(place, world);
  const repository = place.pull();
  const data = await repository.readManifest(found, world.call);
  const document = parseManifestDocument(data, found.mediaType);
  if (document.kind === "index") {
    const { index } = document;
    return { place, data, index, descriptor: { ...found, mediaType: index.mediaType } };
  }
  const { config, mediaType, artifactType } = document.manifest;
  const own = { ...found, mediaType, ...(artifactType === undefined ? {} : { artifactType }) };
  const said =
    source.kind === "json"
      ? mergeDescriptors(own, { ...source.descriptor, size: found.size })
      : own;
  if ((said.platform?.os && said.platform.architecture) || !isConfigType(config.mediaType))
    return { place, data, index: undefined, descriptor: said };
  const what = `configuration of ${place.repository}@${askedFor(place)}`;
  const bytes = await readAll(repository.read(config, world.call), maxConfigSize, what);
  const platform: Platform = { ...platformOfConfig(parseImageConfig(bytes)), ...said.platform };
  return { place, data, index: undefined, descriptor: { ...said, platform } };
}
