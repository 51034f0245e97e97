// One index from several images and indexes, as `imagetools create` makes it.
import { type Digest, digestOf, KilnError } from "../../base/index.ts";
import {
  type Descriptor,
  formatPlatform,
  formatPlatforms,
  type Index,
  matchPlatformExactly,
  mediaTypes,
  normalizePlatform,
  type Platform,
  serializeIndex,
} from "../../formats/oci/index.ts";
import { attestedDigest } from "./attestations.ts";

/** One image or index that goes in. */
export interface CombineSource {
  /** With the platform, where it is an image. */
  readonly descriptor: Descriptor;
  readonly data: Uint8Array;
  /** The document, where it is an index. */
  readonly index: Index | undefined;
}

export interface CombineOptions {
  /** Only images for these; empty is all. */
  readonly platforms: readonly Platform[];
  /** False to pass a single image on as it is instead of in an index of its own. */
  readonly preferIndex: boolean;
  readonly indexAnnotations: Readonly<Record<string, string>>;
  /** For the entries of the index; those with a platform for its entries only. */
  readonly entryAnnotations: readonly {
    readonly platform: Platform | undefined;
    readonly key: string;
    readonly value: string;
  }[];
}

export interface Combined {
  readonly descriptor: Descriptor;
  readonly data: Uint8Array;
}

/**
 * A single source that nothing is asked of is passed on byte for byte. Else entries are in the order of the sources,
 * each digest once, later ones' platform and annotations over earlier ones'. Throws `PLATFORM_NOT_OFFERED` when no source
 * has a wanted platform, and `FLAG_INVALID` for annotations that the result cannot have.
 */
export function combineSources(
  sources: readonly CombineSource[],
  options: CombineOptions,
): Combined {
  const entries = mergeEntries(sources);
  const kept = keepPlatforms(entries, options.platforms);
  const annotated =
    Object.keys(options.indexAnnotations).length > 0 || options.entryAnnotations.length > 0;
  const [only] = sources;
  const isWhole = sources.length === 1 && kept.length === entries.length && !annotated;
  if (only && isWhole && (only.index || !options.preferIndex)) {
    const { mediaType, digest, size } = only.descriptor;
    return { descriptor: { mediaType, digest, size }, data: only.data };
  }
  const single = kept.length === 1 && !annotated && !options.preferIndex ? kept[0] : undefined;
  const original = single && sources.find(({ descriptor }) => descriptor.digest === single.digest);
  if (original) return { descriptor: original.descriptor, data: original.data };
  return makeIndex(kept, annotated, options);
}

function mergeEntries(sources: readonly CombineSource[]): readonly Descriptor[] {
  const entries = new Map<string, Descriptor>();
  for (const { descriptor, index } of sources) {
    for (const entry of index?.manifests ?? [descriptor]) {
      const known = entries.get(entry.digest);
      entries.set(entry.digest, known ? mergeDescriptors(known, entry) : entry);
    }
  }
  return [...entries.values()];
}

/** What `over` says, on top of what `base` says. */
export function mergeDescriptors(base: Descriptor, over: Partial<Descriptor>): Descriptor {
  const annotations = { ...base.annotations, ...over.annotations };
  return {
    ...base,
    ...(over.mediaType ? { mediaType: over.mediaType } : {}),
    ...(over.size ? { size: over.size } : {}),
    ...(over.platform ? { platform: over.platform } : {}),
    ...(over.artifactType ? { artifactType: over.artifactType } : {}),
    ...(over.urls?.length ? { urls: over.urls } : {}),
    ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
  };
}

/** Images for the platforms, with what attests to them. */
function keepPlatforms(
  entries: readonly Descriptor[],
  platforms: readonly Platform[],
): readonly Descriptor[] {
  if (platforms.length === 0) return entries;
  const kept = new Set<Digest>();
  for (const wanted of platforms) {
    const matcher = matchPlatformExactly(wanted);
    const found = entries.filter(({ platform }) => platform && matcher.matches(platform));
    if (found.length === 0) throw notOffered(wanted, entries);
    for (const { digest } of found) kept.add(digest);
  }
  return entries.filter((entry) => {
    const about = attestedDigest(entry);
    return kept.has(entry.digest) || (about !== undefined && kept.has(about as Digest));
  });
}

function notOffered(wanted: Platform, entries: readonly Descriptor[]): KilnError {
  const offered = entries
    .filter((entry) => attestedDigest(entry) === undefined)
    .flatMap(({ platform }) => platform ?? []);
  return new KilnError(
    "PLATFORM_NOT_OFFERED",
    `no source has an image for ${formatPlatform(wanted)}; they have ${formatPlatforms(offered)}`,
  );
}

function makeIndex(
  entries: readonly Descriptor[],
  annotated: boolean,
  { indexAnnotations, entryAnnotations }: CombineOptions,
): Combined {
  const allDocker = entries.every(({ mediaType }) =>
    mediaType.startsWith("application/vnd.docker."),
  );
  // Docker's lists have no annotations: whoever wants them gets OCI's index.
  const mediaType = allDocker && !annotated ? mediaTypes.dockerIndex : mediaTypes.ociIndex;
  const data = serializeIndex({
    mediaType,
    manifests: entries.map((entry) => annotate(entry, entryAnnotations)),
    ...(Object.keys(indexAnnotations).length > 0 ? { annotations: indexAnnotations } : {}),
  });
  return { descriptor: { mediaType, digest: digestOf(data), size: data.length }, data };
}

function annotate(entry: Descriptor, wanted: CombineOptions["entryAnnotations"]): Descriptor {
  const own = wanted.filter(({ platform }) => !platform || isFor(entry, platform));
  if (own.length === 0) return entry;
  const added = Object.fromEntries(own.map(({ key, value }) => [key, value]));
  return { ...entry, annotations: { ...entry.annotations, ...added } };
}

function isFor({ platform }: Descriptor, wanted: Platform): boolean {
  return (
    platform !== undefined &&
    formatPlatform(normalizePlatform(platform)) === formatPlatform(normalizePlatform(wanted))
  );
}
