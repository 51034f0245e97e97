// OCI documents, names and platforms: values in, values out.
export { defaultImageConfig } from "./default-config.ts";
export {
  containerConfigJson,
  maxConfigSize,
  parseImageConfig,
  platformOfConfig,
  serializeImageConfig,
} from "./image-config.ts";
export {
  descriptorJson,
  type ManifestDocument,
  maxIndexEntries,
  maxLayers,
  maxManifestSize,
  parseDescriptor,
  parseIndex,
  parseManifest,
  parseManifestDocument,
  parsePlatformJson,
  platformJson,
  serializeIndex,
  serializeManifest,
} from "./manifest.ts";
export * from "./media-types.ts";
export * from "./platform.ts";
export * from "./platform-match.ts";
export * from "./purl.ts";
export * from "./reference.ts";
export * from "./types.ts";
