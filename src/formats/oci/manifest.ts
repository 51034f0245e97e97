// Reading and writing manifests and indexes (manifest.md, image-index.md): the one place that knows their JSON.
import { goJson, isRecord, parseJson, sortedRecord } from "../../base/index.ts";
import {
  defined,
  digestOrThrow,
  type Fields,
  fieldsOf,
  integerField,
  invalid,
  listField,
  rawField,
  stringField,
  stringMapField,
  stringsField,
} from "./fields.ts";
import { isIndexType, isManifestType, mediaTypes } from "./media-types.ts";
import type { Descriptor, Index, Manifest, Platform } from "./types.ts";

/** Largest manifest or index that is read or written, in bytes (distribution-spec, "Pushing Manifests"). */
export const maxManifestSize: number = 4 * 1024 * 1024;
/** Most layers that an image may have; far above what any runtime mounts. */
export const maxLayers = 1024;
/** Most entries that an index may have. */
export const maxIndexEntries = 10_000;

/** What a tag or digest can name. */
export type ManifestDocument =
  | { readonly kind: "manifest"; readonly manifest: Manifest }
  | { readonly kind: "index"; readonly index: Index };

/**
 * Reads a manifest or an index, whichever it is. `mediaType` is what the registry or the descriptor said; the document
 * must not contradict it, nor hold both `manifests` and `layers` (CVE-2021-41190). Throws `IMAGE_INVALID`.
 */
export function parseManifestDocument(data: Uint8Array, mediaType?: string): ManifestDocument {
  const fields = documentFields(data, "manifest");
  const type = documentType(fields, mediaType);
  if (isIndexType(type)) return { kind: "index", index: readIndex(fields, type) };
  if (isManifestType(type)) return { kind: "manifest", manifest: readManifest(fields, type) };
  throw invalid("manifest", unsupportedReason(type));
}

/** Reads what must be the manifest of one image. Throws `IMAGE_INVALID`. */
export function parseManifest(data: Uint8Array, mediaType?: string): Manifest {
  const document = parseManifestDocument(data, mediaType);
  if (document.kind === "manifest") return document.manifest;
  throw invalid("manifest", "it is an index where the manifest of one image was expected");
}

/** Reads what must be an index. Throws `IMAGE_INVALID`. */
export function parseIndex(data: Uint8Array, mediaType?: string): Index {
  const document = parseManifestDocument(data, mediaType);
  if (document.kind === "index") return document.index;
  throw invalid("index", "it is the manifest of one image where an index was expected");
}

/** The bytes that the reference writes for a manifest: Go's member order, indented by two. */
export function serializeManifest(manifest: Manifest): Uint8Array {
  return encode({
    schemaVersion: 2,
    mediaType: manifest.mediaType,
    artifactType: manifest.artifactType,
    config: descriptorJson(manifest.config),
    layers: manifest.layers.map(descriptorJson),
    subject: manifest.subject && descriptorJson(manifest.subject),
    annotations: nonEmptyMap(manifest.annotations),
  });
}

/** The bytes that the reference writes for an index: Go's member order, indented by two. */
export function serializeIndex(index: Index): Uint8Array {
  return encode({
    schemaVersion: 2,
    mediaType: index.mediaType,
    artifactType: index.artifactType,
    manifests: index.manifests.map(descriptorJson),
    subject: index.subject && descriptorJson(index.subject),
    annotations: nonEmptyMap(index.annotations),
  });
}

/** Reads one descriptor; `what` names it in errors. Throws `IMAGE_INVALID`. */
export function parseDescriptor(value: unknown, what: string): Descriptor {
  const fields = fieldsOf(value, what);
  const mediaType = stringField(fields, "mediaType") ?? "";
  const size = integerField(fields, "size");
  if (size === undefined || size < 0) throw invalid(what, "size is missing or negative");
  const platform = rawField(fields, "platform");
  return defined<Descriptor>({
    mediaType,
    digest: digestOrThrow(rawField(fields, "digest"), what),
    size,
    platform: platform === undefined ? undefined : parsePlatformJson(platform, `${what}: platform`),
    annotations: stringMapField(fields, "annotations"),
    artifactType: stringField(fields, "artifactType"),
    urls: stringsField(fields, "urls"),
  });
}

/** A descriptor as the reference writes it, with Go's member order: for documents that hold descriptors. */
export function descriptorJson(descriptor: Descriptor): Readonly<Record<string, unknown>> {
  return {
    mediaType: descriptor.mediaType,
    digest: descriptor.digest,
    size: descriptor.size,
    urls: descriptor.urls?.length ? descriptor.urls : undefined,
    annotations: nonEmptyMap(descriptor.annotations),
    platform: descriptor.platform && platformJson(descriptor.platform),
    artifactType: descriptor.artifactType || undefined,
  };
}

/** A platform with the member names and order of the wire. */
export function platformJson(platform: Platform): Readonly<Record<string, unknown>> {
  return {
    architecture: platform.architecture,
    os: platform.os,
    "os.version": platform.osVersion || undefined,
    "os.features": platform.osFeatures?.length ? platform.osFeatures : undefined,
    variant: platform.variant || undefined,
  };
}

/** Reads a platform with the member names of the wire. Throws `IMAGE_INVALID`. */
export function parsePlatformJson(value: unknown, what: string): Platform {
  const fields = fieldsOf(value, what);
  return defined<Platform>({
    os: stringField(fields, "os") ?? "",
    architecture: stringField(fields, "architecture") ?? "",
    variant: stringField(fields, "variant") || undefined,
    osVersion: stringField(fields, "os.version") || undefined,
    osFeatures: stringsField(fields, "os.features"),
  });
}

/** Decodes and parses a document within its size limit. */
export function documentFields(
  data: Uint8Array,
  what: string,
  limit: number = maxManifestSize,
): Fields {
  if (data.length > limit) throw invalid(what, `larger than ${limit} bytes`);
  return fieldsOf(parseJson(new TextDecoder().decode(data), what), what);
}

/** The document's own type, checked against what it was said to be and what it holds. */
function documentType(fields: Fields, said: string | undefined): string {
  const own = stringField(fields, "mediaType");
  const hasManifests = rawField(fields, "manifests") !== undefined;
  const hasLayers =
    rawField(fields, "layers") !== undefined || rawField(fields, "config") !== undefined;
  if (rawField(fields, "fsLayers") !== undefined)
    throw invalid(fields.what, unsupportedReason(mediaTypes.dockerSchema1));
  if (hasManifests && hasLayers)
    throw invalid(fields.what, "it holds both manifests and layers and could mean either");
  if (own && said && own !== said && (isKnownDocument(own) || isKnownDocument(said))) {
    throw invalid(fields.what, `it says it is ${own} but was given as ${said}`);
  }
  const type = own || (said && isKnownDocument(said) ? said : "");
  const shape = hasManifests ? mediaTypes.ociIndex : mediaTypes.ociManifest;
  if (type === "") return shape;
  if (hasManifests && isManifestType(type))
    throw invalid(fields.what, "it holds manifests but says it is no index");
  if (hasLayers && isIndexType(type))
    throw invalid(fields.what, "it holds layers but says it is an index");
  return type;
}

function isKnownDocument(mediaType: string): boolean {
  return isIndexType(mediaType) || isManifestType(mediaType);
}

function unsupportedReason(mediaType: string): string {
  if (mediaType === mediaTypes.dockerSchema1 || mediaType === mediaTypes.dockerSchema1Signed) {
    return "it is of Docker's schema 1, which is no longer supported: push the image again with a current tool";
  }
  return `unknown media type ${JSON.stringify(mediaType.slice(0, 200))}`;
}

function readManifest(fields: Fields, mediaType: string): Manifest {
  const layers = listField(fields, "layers") ?? [];
  if (layers.length > maxLayers) throw invalid(fields.what, `more than ${maxLayers} layers`);
  const subject = rawField(fields, "subject");
  return defined<Manifest>({
    mediaType,
    config: parseDescriptor(rawField(fields, "config"), "manifest: config"),
    layers: layers.map((layer, i) => parseDescriptor(layer, `manifest: layer ${i + 1}`)),
    artifactType: stringField(fields, "artifactType") || undefined,
    subject: subject === undefined ? undefined : parseDescriptor(subject, "manifest: subject"),
    annotations: stringMapField(fields, "annotations"),
  });
}

function readIndex(fields: Fields, mediaType: string): Index {
  const manifests = listField(fields, "manifests") ?? [];
  if (manifests.length > maxIndexEntries)
    throw invalid(fields.what, `more than ${maxIndexEntries} manifests`);
  const subject = rawField(fields, "subject");
  return defined<Index>({
    mediaType,
    manifests: manifests.map((entry, i) => parseDescriptor(entry, `index: manifest ${i + 1}`)),
    artifactType: stringField(fields, "artifactType") || undefined,
    subject: subject === undefined ? undefined : parseDescriptor(subject, "index: subject"),
    annotations: stringMapField(fields, "annotations"),
  });
}

function nonEmptyMap(
  map: Readonly<Record<string, string>> | undefined,
): Record<string, string> | undefined {
  return map && isRecord(map) && Object.keys(map).length > 0 ? sortedRecord(map) : undefined;
}

function encode(document: unknown): Uint8Array {
  return new TextEncoder().encode(goJson(document, 2));
}
