// What can be asked of an exported image, by the reference's attribute names (features.md D-40).
import type { Attrs } from "../../../api/index.ts";
import { isKilnError, KilnError } from "../../../base/index.ts";
import {
  type ImageConfig,
  type MediaTypeFamily,
  parseImageConfig,
  parseReference,
  type Reference,
} from "../../../formats/oci/index.ts";
import {
  badAttribute,
  booleanAttribute,
  checkAttributeNames,
  integerAttribute,
  wordAttribute,
} from "../attributes.ts";
import type { SolvedResult } from "../exporter.ts";
import { type Annotation, annotationPrefix, parseAnnotations } from "./annotations.ts";
import { checkCompression, type LayerPacking } from "./compress.ts";

/** How new layers are packed, and whether others are packed anew. */
export interface Packing {
  readonly compression: LayerPacking;
  /** Undefined is the format's usual level. */
  readonly level: number | undefined;
  /** Pack layers of the base image anew where they are packed otherwise. */
  readonly force: boolean;
}

/** What `image`, `oci` and `docker` have in common. */
export interface ImageAttributes {
  /** As given; empty for an image without a name. */
  readonly name: string;
  readonly references: readonly Reference[];
  readonly family: MediaTypeFamily;
  readonly packing: Packing;
  readonly annotations: readonly Annotation[];
  /** Seconds since 1970; takes the place of the build's own. */
  readonly sourceDateEpoch: number | undefined;
  /** Lower the time stamps in new layers to the epoch. */
  readonly rewriteTimestamp: boolean;
  /** Layers that must not be passed on keep saying so; else they become like others, as they are sent like others. */
  readonly keepsForeign: boolean;
  /** In the place of what the result says of itself. */
  readonly config: ImageConfig | undefined;
  /** Attestations are OCI artifacts; else in the older form. */
  readonly ociArtifact: boolean;
  /** Attestations that are only for images are reason enough to make an index for them. */
  readonly attestationInline: boolean;
  /** Where attestations are found: in the image's index, or by asking the registry what refers to the image. */
  readonly attestationStore: "index" | "referrers";
}

/** What only `image` takes. */
export interface PushAttributes {
  readonly push: boolean;
  readonly pushByDigest: boolean;
  readonly insecure: boolean;
  readonly store: boolean;
  readonly nameCanonical: boolean;
  readonly danglingPrefix: string | undefined;
}

/** Known, and without effect here: nothing that Kiln makes depends on them, or what they ask for is always so. */
const accepted = ["buildinfo", "buildinfo-attrs", "unpack"];

const common = [
  "attestation-inline",
  "attestation-store",
  "compatibility-version",
  "compression",
  "compression-level",
  "containerimage.config",
  "force-compression",
  "name",
  "oci-artifact",
  "oci-mediatypes",
  "prefer-nondist-layers",
  "rewrite-timestamp",
  "source-date-epoch",
  ...accepted,
];

const pushing = [
  "danging-name-empty-only",
  "dangling-name-prefix",
  "name-canonical",
  "push",
  "push-by-digest",
  "registry.insecure",
  "store",
];

/** The highest that any file format's seconds need to hold: the end of the year 9999. */
const latestEpoch = 253402300799;

/** Throws `FLAG_INVALID`, `REFERENCE_INVALID` or `UNSUPPORTED` for what cannot be obeyed; `more` are the exporter's own. */
export function parseImageAttributes(attrs: Attrs, more: readonly string[] = []): ImageAttributes {
  checkAttributeNames(attrs, (name) => isImageAttribute(name, more), [...common, ...more]);
  for (const name of accepted) booleanAttribute(attrs, name, false);
  const annotations = parseAnnotations(attrs);
  const today = parseCompatibility(attrs) >= 30;
  // Docker's documents have no place for annotations, nor for those of eStargz.
  const oci =
    booleanAttribute(attrs, "oci-mediatypes", today) ||
    annotations.length > 0 ||
    attrs["compression"] === "estargz";
  const name = attrs["name"] ?? "";
  return {
    name,
    references: parseNames(name),
    family: oci ? "oci" : "docker",
    packing: parsePacking(attrs),
    annotations,
    sourceDateEpoch: parseEpoch(attrs),
    rewriteTimestamp: booleanAttribute(attrs, "rewrite-timestamp", true),
    keepsForeign: booleanAttribute(attrs, "prefer-nondist-layers", false),
    config: parseConfig(attrs),
    ociArtifact: booleanAttribute(attrs, "oci-artifact", today),
    attestationInline: booleanAttribute(attrs, "attestation-inline", false),
    attestationStore:
      wordAttribute(attrs, "attestation-store", ["index", "referrers"] as const) ?? "index",
  };
}

/** Whether images know the attribute; `more` are the exporter's own. */
export function isImageAttribute(name: string, more: readonly string[]): boolean {
  return common.includes(name) || more.includes(name) || annotationPrefix.test(name);
}

/** Whether exporter `image` knows the attribute. */
export function isPushAttribute(name: string): boolean {
  return isImageAttribute(name, pushing);
}

/** A configuration that takes the place of the result's own: of definitions that no frontend has made. */
function parseConfig(attrs: Attrs): ImageConfig | undefined {
  const text = attrs["containerimage.config"];
  if (text === undefined) return undefined;
  try {
    return parseImageConfig(new TextEncoder().encode(text));
  } catch (error) {
    if (!isKilnError(error)) throw error;
    throw badAttribute("containerimage.config", text, error.message);
  }
}

/** The result with the configuration that its request brings, which wins over its own, as the reference has it. */
export function withConfig(result: SolvedResult, { config }: ImageAttributes): SolvedResult {
  if (config === undefined) return result;
  const platforms = result.platforms.map((one) => {
    const { architecture, os } = one.platform;
    const own = { architecture: config.architecture || architecture, os: config.os || os };
    return { ...one, config: { ...config, ...own } };
  });
  return { ...result, platforms };
}

/** With the annotations that the result brings. Throws `FLAG_INVALID` for what is none. */
export function withAnnotations<T extends ImageAttributes>(
  attributes: T,
  { annotations = {} }: { readonly annotations?: Attrs },
): T {
  const more = parseAnnotations(annotations);
  if (more.length === 0) return attributes;
  return { ...attributes, family: "oci", annotations: [...attributes.annotations, ...more] };
}

/** Seconds since 1970 that `source-date-epoch` names. */
export function parseEpoch(attrs: Attrs): number | undefined {
  return integerAttribute(attrs, "source-date-epoch", { from: 0, to: latestEpoch });
}

/** The attributes of exporter `image`. */
export function parsePushAttributes(attrs: Attrs): ImageAttributes & PushAttributes {
  const image = parseImageAttributes({ "attestation-inline": "true", ...attrs }, pushing);
  const push = booleanAttribute(attrs, "push", false);
  const pushByDigest = booleanAttribute(attrs, "push-by-digest", false);
  booleanAttribute(attrs, "danging-name-empty-only", false);
  if (push && image.references.length === 0) {
    throw new KilnError("FLAG_INVALID", "an image without a name cannot be pushed", {
      hint: "Give it a name with --tag, or with name=REGISTRY/REPOSITORY in --output.",
    });
  }
  const fixed = image.references.find((reference) => reference.digest !== undefined);
  if (fixed) {
    throw badAttribute("name", image.name, "a name with a digest cannot be given to a new image");
  }
  if (pushByDigest && image.references.some((reference) => reference.tag !== undefined)) {
    const why = "push-by-digest gives no tag, so the name must not have one";
    throw badAttribute("name", image.name, why);
  }
  return {
    ...image,
    push,
    pushByDigest,
    insecure: booleanAttribute(attrs, "registry.insecure", false),
    store: booleanAttribute(attrs, "store", true),
    nameCanonical: booleanAttribute(attrs, "name-canonical", false),
    danglingPrefix: attrs["dangling-name-prefix"] || undefined,
  };
}

function parseNames(name: string): readonly Reference[] {
  if (name === "") return [];
  if (name === "*") throw badAttribute("name", name, "the build does not name its image");
  return name.split(",").map((one) => parseReference(one.trim()));
}

/** `compatibility-version`: whose defaults are meant. Since 30, media types are OCI's and attestations artifacts. */
function parseCompatibility(attrs: Attrs): number {
  const words = ["10", "20", "30"] as const;
  return Number(wordAttribute(attrs, "compatibility-version", words) ?? "30");
}

function parsePacking(attrs: Attrs): Packing {
  const words = ["gzip", "uncompressed", "zstd", "estargz"] as const;
  const word = wordAttribute(attrs, "compression", words) ?? "gzip";
  const compression = word === "uncompressed" ? "none" : word;
  checkCompression(compression);
  const highest = compression === "zstd" ? 22 : 9;
  return {
    compression,
    level: integerAttribute(attrs, "compression-level", { from: 0, to: highest }),
    force: booleanAttribute(attrs, "force-compression", false),
  };
}
