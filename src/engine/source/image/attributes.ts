// The attributes of an image source (features.md D-30). Those that are not listed have no effect on what is fetched.
import type { Attrs, ResolveMode } from "../../../api/index.ts";
import { type Digest, isDigest, KilnError } from "../../../base/index.ts";

export interface ImageAttributes {
  readonly mode: ResolveMode;
  /** Only so many layers, counted from the oldest. */
  readonly layerLimit: number | undefined;
  /** Name of the lent OCI layout, where it is not that of the image. */
  readonly layout: string | undefined;
  /** What the name must stand for. */
  readonly checksum: Digest | undefined;
}

/** Throws `DEFINITION_INVALID` for values that make no sense. */
export function parseImageAttributes(attrs: Attrs): ImageAttributes {
  return {
    mode: parseMode(attrs["image.resolvemode"]),
    layerLimit: parseLimit(attrs["image.layerlimit"] ?? attrs["oci.layerlimit"]),
    layout: attrs["oci.store"] || undefined,
    checksum: parseChecksum(attrs["image.checksum"]),
  };
}

function parseMode(value: string | undefined): ResolveMode {
  if (value === undefined || value === "" || value === "default") return "default";
  if (value === "pull" || value === "local") return value;
  throw invalid("image.resolvemode", value);
}

function parseLimit(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (/^[1-9]\d{0,8}$/.test(value)) return Number(value);
  throw invalid("image.layerlimit", value);
}

function parseChecksum(value: string | undefined): Digest | undefined {
  if (value === undefined) return undefined;
  if (isDigest(value)) return value;
  throw invalid("image.checksum", value);
}

function invalid(name: string, value: string): KilnError {
  return new KilnError(
    "DEFINITION_INVALID",
    `source attribute ${name}=${value.slice(0, 200)} is not valid`,
  );
}
