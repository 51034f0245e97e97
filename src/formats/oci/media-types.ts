// Media types of the documents and layers that images are made of: OCI's and Docker's names for the same things.
import { KilnError } from "../../base/index.ts";

/** The names that Kiln writes and reads. */
export const mediaTypes = {
  ociIndex: "application/vnd.oci.image.index.v1+json",
  ociManifest: "application/vnd.oci.image.manifest.v1+json",
  ociConfig: "application/vnd.oci.image.config.v1+json",
  ociLayer: "application/vnd.oci.image.layer.v1.tar",
  ociLayerGzip: "application/vnd.oci.image.layer.v1.tar+gzip",
  ociLayerZstd: "application/vnd.oci.image.layer.v1.tar+zstd",
  ociEmpty: "application/vnd.oci.empty.v1+json",
  dockerIndex: "application/vnd.docker.distribution.manifest.list.v2+json",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
  dockerConfig: "application/vnd.docker.container.image.v1+json",
  dockerLayer: "application/vnd.docker.image.rootfs.diff.tar",
  dockerLayerGzip: "application/vnd.docker.image.rootfs.diff.tar.gzip",
  dockerLayerZstd: "application/vnd.docker.image.rootfs.diff.tar.zstd",
  dockerForeignLayer: "application/vnd.docker.image.rootfs.foreign.diff.tar",
  dockerForeignLayerGzip: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
  ociForeignLayer: "application/vnd.oci.image.layer.nondistributable.v1.tar",
  ociForeignLayerGzip: "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
  ociForeignLayerZstd: "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
  dockerSchema1: "application/vnd.docker.distribution.manifest.v1+json",
  dockerSchema1Signed: "application/vnd.docker.distribution.manifest.v1+prettyjws",
  inToto: "application/vnd.in-toto+json",
} as const;

/** How a layer's tar is packed. */
export type Compression = "none" | "gzip" | "zstd";

/** Which of the two families of names a document is written in. */
export type MediaTypeFamily = "oci" | "docker";

/** What a client says it takes when it asks for a manifest. */
export const manifestAccept: readonly string[] = [
  mediaTypes.ociIndex,
  mediaTypes.dockerIndex,
  mediaTypes.ociManifest,
  mediaTypes.dockerManifest,
];

const layers: Readonly<Record<string, Compression>> = {
  [mediaTypes.ociLayer]: "none",
  [mediaTypes.ociLayerGzip]: "gzip",
  [mediaTypes.ociLayerZstd]: "zstd",
  [mediaTypes.ociForeignLayer]: "none",
  [mediaTypes.ociForeignLayerGzip]: "gzip",
  [mediaTypes.ociForeignLayerZstd]: "zstd",
  [mediaTypes.dockerLayer]: "none",
  [mediaTypes.dockerLayerGzip]: "gzip",
  [mediaTypes.dockerLayerZstd]: "zstd",
  [mediaTypes.dockerForeignLayer]: "none",
  [mediaTypes.dockerForeignLayerGzip]: "gzip",
};

const ociToDocker: Readonly<Record<string, string>> = {
  [mediaTypes.ociIndex]: mediaTypes.dockerIndex,
  [mediaTypes.ociManifest]: mediaTypes.dockerManifest,
  [mediaTypes.ociConfig]: mediaTypes.dockerConfig,
  [mediaTypes.ociLayer]: mediaTypes.dockerLayer,
  [mediaTypes.ociLayerGzip]: mediaTypes.dockerLayerGzip,
  [mediaTypes.ociLayerZstd]: mediaTypes.dockerLayerZstd,
  [mediaTypes.ociForeignLayer]: mediaTypes.dockerForeignLayer,
  [mediaTypes.ociForeignLayerGzip]: mediaTypes.dockerForeignLayerGzip,
};

const dockerToOci: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(ociToDocker).map(([oci, docker]) => [docker, oci]),
);

/** True for a list of manifests, by either name. */
export function isIndexType(mediaType: string): boolean {
  return mediaType === mediaTypes.ociIndex || mediaType === mediaTypes.dockerIndex;
}

/** True for the manifest of one image, by either name. */
export function isManifestType(mediaType: string): boolean {
  return mediaType === mediaTypes.ociManifest || mediaType === mediaTypes.dockerManifest;
}

/** True for the configuration of a runnable image, by either name. */
export function isConfigType(mediaType: string): boolean {
  return mediaType === mediaTypes.ociConfig || mediaType === mediaTypes.dockerConfig;
}

/** True for a file system layer, foreign ones included. */
export function isLayerType(mediaType: string): boolean {
  return Object.hasOwn(layers, mediaType);
}

/** True for layers that are fetched from their `urls` and never pushed. */
export function isForeignLayerType(mediaType: string): boolean {
  return mediaType.includes("nondistributable") || mediaType.includes(".foreign.");
}

/** The name of the same layer as one that anybody may pass on. */
export function distributableType(mediaType: string): string {
  return mediaType.replace("layer.nondistributable.", "layer.").replace(".foreign.diff.", ".diff.");
}

/** How the layer is packed. Throws `IMAGE_INVALID` for what is not a layer. */
export function layerCompression(mediaType: string): Compression {
  const compression = Object.hasOwn(layers, mediaType) ? layers[mediaType] : undefined;
  if (compression !== undefined) return compression;
  throw new KilnError(
    "IMAGE_INVALID",
    `not a layer's media type: ${JSON.stringify(mediaType.slice(0, 200))}`,
  );
}

/** The name of a layer packed so. */
export function layerType(compression: Compression, family: MediaTypeFamily = "oci"): string {
  const oci = {
    none: mediaTypes.ociLayer,
    gzip: mediaTypes.ociLayerGzip,
    zstd: mediaTypes.ociLayerZstd,
  }[compression];
  return inFamily(oci, family);
}

/** The other family's name for the same thing; names that have no counterpart stay as they are. */
export function inFamily(mediaType: string, family: MediaTypeFamily): string {
  const names = family === "docker" ? ociToDocker : dockerToOci;
  return (Object.hasOwn(names, mediaType) ? names[mediaType] : undefined) ?? mediaType;
}
