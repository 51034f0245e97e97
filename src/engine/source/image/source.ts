// Schemes `docker-image` and `oci-layout`: images of registries, of the local store and of lent layouts, looked up at once and fetched when needed.
import type { ResolveMode, Session, StepCall } from "../../../api/index.ts";
import {
  type Bytes,
  type Call,
  type Digest,
  digestOf,
  isKilnError,
  KilnError,
} from "../../../base/index.ts";
import {
  type Descriptor,
  familiarReference,
  formatReference,
  type Platform,
  parsePullReference,
  parseReference,
  type Reference,
  repositoryName,
  withDefaultTag,
} from "../../../formats/oci/index.ts";
import {
  type BlobReader,
  createBlobReader,
  type ImageRecord,
  type PlatformImage,
  resolveImage,
} from "../../../storage/image/index.ts";
import type { LazyLayer } from "../../../storage/snapshot/index.ts";
import { layoutOrigin } from "../oci-layout/repository.ts";
import { type ResolvedSource, sourceKey } from "../source.ts";
import { type ImageAttributes, parseImageAttributes } from "./attributes.ts";
import type { ImageSource, ImageSourceOptions } from "./options.ts";
import { localRepository, SessionLookups } from "./session-registry.ts";

export function createImageSource(options: ImageSourceOptions): ImageSource {
  const sessions = new WeakMap<Session, SessionLookups>();
  const lookupsOf = (session: Session) => {
    const lookups = sessions.get(session) ?? new SessionLookups();
    sessions.set(session, lookups);
    return lookups;
  };
  const find = (wanted: Wanted, session: Session, call: Call) =>
    findImage(options, lookupsOf(session), wanted, session, call);
  return {
    scheme: "docker-image",
    async resolve(id, session, call) {
      const attributes = parseImageAttributes(id.attrs);
      const reference = parseReference(id.rest);
      const layout =
        id.scheme === "oci-layout" ? (attributes.layout ?? layoutOf(reference)) : undefined;
      const wanted = { reference, platform: id.platform, mode: attributes.mode, layout };
      const found = await find(wanted, session, call);
      checkDigest(reference, found.image.root, attributes);
      const { platform } = id;
      return resolved(options, { ...found, reference, attributes, session, platform });
    },
    async resolveImage(text, { platform, mode = "default", layout }, session, call) {
      const reference = parseReference(text);
      const { image } = await find({ reference, platform, mode, layout }, session, call);
      return {
        reference: pinned(reference, image.root),
        digest: image.root.digest,
        config: image.config,
        rawConfig: image.rawConfig,
      };
    },
  };
}

/** The name before tag and digest. */
function layoutOf(reference: Reference): string {
  return familiarReference(reference).replace(/[:@].*$/, "");
}

interface Wanted {
  readonly reference: Reference;
  readonly platform: Platform;
  readonly mode: ResolveMode;
  /** Name of the lent OCI layout that has it; undefined for images of registries. */
  readonly layout: string | undefined;
}

interface FoundImage {
  readonly image: PlatformImage;
  /** The repository that has its layers; undefined for an image of the local store. */
  readonly origin: string | undefined;
}

/**
 * Mode `local` prefers the local store. The others ask the registry; an image that was built here and is in no registry is
 * found all the same, unless `pull` was asked for.
 */
async function findImage(
  options: ImageSourceOptions,
  lookups: SessionLookups,
  { reference, platform, mode, layout }: Wanted,
  session: Session,
  call: Call,
): Promise<FoundImage> {
  const { content } = options;
  const pulled = formatReference(parsePullReference(formatReference(reference)));
  const findLocal = async () => {
    const record = layout === undefined ? findRecord(options, reference) : undefined;
    if (!record) return undefined;
    const repository = localRepository(record.descriptor, content);
    const request = { repository, reference: record.name, platform, content };
    return { image: await resolveImage(request, call), origin: undefined };
  };
  const local = mode === "local" ? await findLocal() : undefined;
  if (local) return local;
  const origin = layout === undefined ? repositoryName(reference) : layoutOrigin(layout);
  const repository = lookups.pull(options.registry(session), origin);
  try {
    const request = { repository, reference: pulled, platform, content };
    return { image: await resolveImage(request, call), origin };
  } catch (error) {
    const kept = mode === "default" && isUnavailable(error) ? await findLocal() : undefined;
    if (kept) return kept;
    throw error;
  }
}

/** What the local store has under the name or, for a name with a digest, of that digest in the same repository. */
function findRecord(
  { records }: ImageSourceOptions,
  reference: Reference,
): ImageRecord | undefined {
  const { digest } = reference;
  if (digest === undefined) return records.get(formatReference(withDefaultTag(reference)));
  const repository = repositoryName(reference);
  return records
    .list()
    .find(
      (record) =>
        record.descriptor.digest === digest &&
        repositoryName(parseReference(record.name)) === repository,
    );
}

function isUnavailable(error: unknown): boolean {
  return (
    isKilnError(error, "IMAGE_NOT_FOUND") ||
    isKilnError(error, "REGISTRY_DENIED") ||
    isKilnError(error, "REGISTRY_UNREACHABLE")
  );
}

function checkDigest(reference: Reference, root: Descriptor, { checksum }: ImageAttributes): void {
  if (checksum === undefined || root.digest === checksum) return;
  throw new KilnError(
    "BLOB_CORRUPT",
    `${familiarReference(reference)} is ${root.digest}, not ${checksum} as was demanded`,
  );
}

interface Found extends FoundImage {
  readonly reference: Reference;
  readonly attributes: ImageAttributes;
  readonly session: Session;
  readonly platform: Platform;
}

/** BuildKit's name for an image by its outermost document (source/containerimage mainManifestKey). */
function documentKey(root: Digest, { platform, attributes }: Found): Digest {
  const { os, architecture, variant, osVersion, osFeatures } = platform;
  return digestOf(
    JSON.stringify({
      Digest: root,
      OS: os,
      Arch: architecture,
      Variant: variant || undefined,
      OSVersion: osVersion || undefined,
      OSFeatures: osFeatures?.length ? osFeatures : undefined,
      Limit: attributes.layerLimit,
    }),
  );
}

function resolved(options: ImageSourceOptions, found: Found): ResolvedSource {
  const { image, origin, attributes, reference, session } = found;
  const layers = image.layers.slice(0, attributes.layerLimit);
  // As BuildKit: the files depend on the layers alone, however they are packed.
  const cacheKey = sourceKey(chainId(layers.map((one) => one.diffId)));
  options.otherKeys?.add(cacheKey, sourceKey(documentKey(image.root.digest, found)));
  return {
    cacheKey,
    pin: pinned(reference, image.root),
    async fetch(call) {
      if (layers.length === 0) return undefined;
      if (origin !== undefined) {
        for (const { descriptor } of layers) options.origins.add(descriptor.digest, origin);
      }
      const read = createBlobReader({ ...options, registry: options.registry(session) });
      const lazy = layers.map(({ descriptor, diffId }): LazyLayer => {
        const fetch = (reading: Call) => reported(read, descriptor, call, reading);
        return { descriptor, diffId, fetch };
      });
      return options.snapshotter.image(lazy, call);
    },
  };
}

/** Names a stack of layers (OCI image specification, ChainID). */
function chainId(diffIds: readonly Digest[]): string {
  return diffIds.reduce((below, diffId) => (below ? digestOf(`${below} ${diffId}`) : diffId), "");
}

function pinned(reference: Reference, root: Descriptor): string {
  return formatReference({ ...withDefaultTag(reference), digest: root.digest });
}

const progressEvery = 512 * 1024;

/** Tells the step that named the image how far the download is, whichever step needs the files. */
async function* reported(
  read: BlobReader,
  blob: Descriptor,
  { step, emit }: StepCall,
  call: Call,
): Bytes {
  const progress = (current: number, done: boolean) =>
    emit({
      type: "progress",
      step,
      id: blob.digest,
      at: new Date(),
      current,
      total: blob.size,
      ...(done ? { done } : {}),
    });
  let seen = 0;
  let said = 0;
  progress(0, false);
  for await (const chunk of read(blob, call)) {
    seen += chunk.length;
    if (seen - said >= progressEvery) {
      said = seen;
      progress(seen, false);
    }
    yield chunk;
  }
  progress(seen, true);
}
