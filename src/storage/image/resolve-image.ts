// From a name to the documents of one platform's image, asking the registry for no more than it must.
import { type Call, KilnError } from "../../base/index.ts";
import {
  type Descriptor,
  familiarReference,
  type ImageConfig,
  type Manifest,
  maxConfigSize,
  mediaTypes,
  parseImageConfig,
  parsePullReference,
  platformOfConfig,
} from "../../formats/oci/index.ts";
import { choosePlatform } from "./choose-platform.ts";
import { readBlobDocument, readManifestDocument } from "./documents.ts";
import type { ImageLayer, PlatformImage, ResolveImageRequest } from "./image.ts";

/**
 * Looks up the image of one platform. A name without an index is taken as it is, whatever its platform, as the
 * reference does. Throws `IMAGE_NOT_FOUND`, `PLATFORM_NOT_OFFERED` (with what is offered), `IMAGE_INVALID` and the
 * registry's errors.
 */
export async function resolveImage(
  request: ResolveImageRequest,
  call: Call,
): Promise<PlatformImage> {
  const reference = parsePullReference(request.reference);
  const root = await request.repository.resolve(
    reference.digest ?? reference.tag ?? "latest",
    call,
  );
  if (!root) throw notFound(familiarReference(reference));
  const document = await readManifestDocument(root, request, call);
  if (document.kind === "manifest") {
    const image = await readImage(request, root, document.manifest, call);
    return { ...image, root, platform: platformOfConfig(image.config) };
  }
  const chosen = await choosePlatform(request, document.index, call);
  const image = await readImage(request, chosen.descriptor, chosen.manifest, call);
  return {
    ...image,
    root,
    index: document.index,
    platform: chosen.descriptor.platform ?? platformOfConfig(image.config),
  };
}

async function readImage(
  request: ResolveImageRequest,
  manifestDescriptor: Descriptor,
  manifest: Manifest,
  call: Call,
): Promise<Omit<PlatformImage, "root" | "index" | "platform">> {
  const { config: descriptor, artifactType } = manifest;
  if (
    descriptor.mediaType === mediaTypes.ociEmpty ||
    (artifactType && artifactType !== mediaTypes.ociConfig)
  ) {
    const kind = artifactType ?? "without a configuration";
    throw new KilnError(
      "IMAGE_INVALID",
      `${request.reference} is no image but an artifact: ${kind}`,
    );
  }
  const rawConfig = await readBlobDocument(descriptor, request, maxConfigSize, call);
  const config = parseImageConfig(rawConfig);
  return {
    manifestDescriptor,
    manifest,
    config,
    rawConfig,
    layers: layersOf(request.reference, manifest, config),
  };
}

/** Pairs packed layers with what is in them; the two lists must be of one length. */
function layersOf(
  reference: string,
  { layers }: Manifest,
  { rootfs }: ImageConfig,
): readonly ImageLayer[] {
  if (layers.length !== rootfs.diff_ids.length) {
    throw new KilnError(
      "IMAGE_INVALID",
      `${reference}: its manifest has ${layers.length} layers, its configuration ${rootfs.diff_ids.length}`,
    );
  }
  return layers.flatMap((descriptor, i) => {
    const diffId = rootfs.diff_ids[i];
    return diffId === undefined ? [] : [{ descriptor, diffId }];
  });
}

function notFound(name: string): KilnError {
  return new KilnError("IMAGE_NOT_FOUND", `${name}: the registry has no such image`, {
    hint: "Check the name and the tag for mistakes.",
  });
}
