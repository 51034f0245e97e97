// Which of an index's images is the one for a platform.
import { type Call, KilnError } from "../../base/index.ts";
import {
  type Descriptor,
  formatPlatform,
  formatPlatforms,
  type Index,
  isIndexType,
  isManifestType,
  type Manifest,
  matchPlatform,
  maxConfigSize,
  nearestPlatform,
  type Platform,
  type PlatformMatcher,
  parseImageConfig,
  platformOfConfig,
  selectByPlatform,
} from "../../formats/oci/index.ts";
import { readBlobDocument, readManifestDocument } from "./documents.ts";
import type { ResolveImageRequest } from "./image.ts";

/** Indexes within indexes are followed this deep. */
const maxDepth = 3;
/** Entries that do not say their platform are looked into, at most this many. */
const maxUnnamed = 16;

export interface ChosenImage {
  readonly descriptor: Descriptor;
  readonly manifest: Manifest;
}

/** The best image for the platform. Throws `PLATFORM_NOT_OFFERED` with what is offered. */
export async function choosePlatform(
  request: ResolveImageRequest,
  index: Index,
  call: Call,
): Promise<ChosenImage> {
  const matcher = matchPlatform(request.platform);
  const offered: Platform[] = [];
  const chosen = await choose(request, index, matcher, offered, maxDepth, call);
  if (chosen) return chosen;
  throw notOffered(request.reference, request.platform, offered);
}

async function choose(
  request: ResolveImageRequest,
  index: Index,
  matcher: PlatformMatcher,
  offered: Platform[],
  depth: number,
  call: Call,
): Promise<ChosenImage | undefined> {
  offered.push(...index.manifests.flatMap((entry) => entry.platform ?? []));
  const named = selectByPlatform(index.manifests, matcher);
  const unnamed = index.manifests
    .filter((entry) => !entry.platform && isKnown(entry))
    .slice(0, maxUnnamed);
  for (const descriptor of [...named, ...unnamed]) {
    const document = await readManifestDocument(descriptor, request, call);
    if (document.kind === "index") {
      const inner =
        depth > 1
          ? await choose(request, document.index, matcher, offered, depth - 1, call)
          : undefined;
      if (inner) return inner;
      continue;
    }
    if (descriptor.platform) return { descriptor, manifest: document.manifest };
    const platform = await platformOf(document.manifest, request, call);
    offered.push(platform);
    if (matcher.matches(platform))
      return { descriptor: { ...descriptor, platform }, manifest: document.manifest };
  }
  return undefined;
}

function isKnown({ mediaType }: Descriptor): boolean {
  return isManifestType(mediaType) || isIndexType(mediaType);
}

async function platformOf(
  { config }: Manifest,
  request: ResolveImageRequest,
  call: Call,
): Promise<Platform> {
  return platformOfConfig(
    parseImageConfig(await readBlobDocument(config, request, maxConfigSize, call)),
  );
}

function notOffered(reference: string, wanted: Platform, offered: readonly Platform[]): KilnError {
  const name = formatPlatform(wanted);
  const list = formatPlatforms(offered) || "none";
  const nearest = nearestPlatform(wanted, offered);
  const hint =
    nearest === undefined
      ? "Choose another base image, or leave this platform out of --platform."
      : `The nearest that it offers is ${formatPlatform(nearest)}.`;
  return new KilnError(
    "PLATFORM_NOT_OFFERED",
    `${reference} is not offered for ${name}, only for ${list}`,
    {
      hint,
      details: {
        wanted: name,
        offered: list,
        ...(nearest === undefined ? {} : { nearest: formatPlatform(nearest) }),
      },
    },
  );
}
