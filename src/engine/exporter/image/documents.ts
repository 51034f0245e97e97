// Configuration, manifest and index of an exported image: the same input gives the same bytes.
import type { NamedDocument } from "../../../api/index.ts";
import { digestOf, KilnError } from "../../../base/index.ts";
import {
  type Descriptor,
  distributableType,
  type ImageConfig,
  inFamily,
  isForeignLayerType,
  type MediaTypeFamily,
  mediaTypes,
  serializeImageConfig,
  serializeIndex,
  serializeManifest,
} from "../../../formats/oci/index.ts";
import type { LayerBlob } from "../../../storage/snapshot/index.ts";
import type { SolvedPlatform } from "../exporter.ts";
import { type Annotation, selectAnnotations } from "./annotations.ts";
import { alignHistory } from "./history.ts";
import { packingAnnotations } from "./pack-layers.ts";

/** A document and what names it. */
export type ImageDocument = NamedDocument;

/** One platform's image. */
export interface PlatformImage {
  readonly config: ImageDocument;
  readonly manifest: ImageDocument;
  /** Oldest first, each as the manifest lists it. */
  readonly layers: readonly Descriptor[];
  readonly settings: ImageConfig;
}

export interface DocumentOptions {
  readonly family: MediaTypeFamily;
  readonly annotations: readonly Annotation[];
  readonly keepsForeign?: boolean;
  /** RFC 3339: the time of everything that has none of its own. */
  readonly created: string;
}

/** Layers that hold nothing are left out (see `alignHistory`). `members` are further ones of the configuration. */
export function createPlatformImage(
  solved: SolvedPlatform,
  blobs: readonly LayerBlob[],
  options: DocumentOptions,
  members: Readonly<Record<string, unknown>> = {},
): PlatformImage {
  const { history, layers } = alignHistory(solved.config.history ?? [], blobs, options.created);
  const settings: ImageConfig = {
    ...solved.config,
    created: solved.config.created ?? history.at(-1)?.created ?? options.created,
    rootfs: { type: "layers", diff_ids: layers.map((layer) => layer.diffId) },
    history,
  };
  const config = createDocument(
    serializeImageConfig(settings, members),
    mediaTypes.ociConfig,
    options,
  );
  const descriptors = layers.map(({ descriptor }): Descriptor => {
    const own = packingAnnotations(descriptor);
    const { mediaType, digest, size, urls } = descriptor;
    const foreign = options.keepsForeign === true && isForeignLayerType(mediaType);
    return {
      mediaType: inFamily(foreign ? mediaType : distributableType(mediaType), options.family),
      digest,
      size,
      ...(own ? { annotations: own } : {}),
      ...(foreign && urls?.length ? { urls } : {}),
    };
  });
  const annotations = selectAnnotations(options.annotations, "manifest", solved.platform);
  const manifest = serializeManifest({
    mediaType: inFamily(mediaTypes.ociManifest, options.family),
    config: config.descriptor,
    layers: descriptors,
    ...(annotations ? { annotations } : {}),
  });
  return {
    config,
    manifest: createDocument(manifest, mediaTypes.ociManifest, options),
    layers: descriptors,
    settings,
  };
}

/** What the image's name stands for: an index, or the only platform's manifest where no index is wanted. `attestations` come after the images. */
export function createRoot(
  platforms: readonly SolvedPlatform[],
  images: readonly PlatformImage[],
  multiPlatform: boolean,
  options: DocumentOptions,
  attestations: readonly Descriptor[] = [],
): ImageDocument {
  const [only] = images;
  if (!multiPlatform && images.length === 1 && attestations.length === 0 && only) {
    if (options.annotations.some((one) => one.place.startsWith("index"))) {
      throw new KilnError("FLAG_INVALID", "an image of one platform has no index to annotate", {
        hint: "Use annotation-manifest, or build for several platforms.",
      });
    }
    return only.manifest;
  }
  const manifests = images.map(({ manifest }, i): Descriptor => {
    const platform = platforms[i]?.platform;
    const annotations = selectAnnotations(options.annotations, "manifest-descriptor", platform);
    return {
      ...manifest.descriptor,
      ...(platform ? { platform } : {}),
      ...(annotations ? { annotations } : {}),
    };
  });
  const annotations = selectAnnotations(options.annotations, "index");
  const index = serializeIndex({
    mediaType: inFamily(mediaTypes.ociIndex, options.family),
    manifests: [...manifests, ...attestations],
    ...(annotations ? { annotations } : {}),
  });
  return createDocument(index, mediaTypes.ociIndex, options);
}

function createDocument(
  data: Uint8Array,
  ociType: string,
  { family }: DocumentOptions,
): ImageDocument {
  const descriptor = {
    mediaType: inFamily(ociType, family),
    digest: digestOf(data),
    size: data.length,
  };
  return { descriptor, data };
}
