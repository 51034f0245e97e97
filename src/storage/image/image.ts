// Images as lazy values over any BlobSource: asking for less never costs more.
import type { Bytes, Call, Digest } from "../../base/index.ts";
import type { Descriptor, ImageConfig } from "../../formats/oci/index.ts";

export interface Layer {
  descriptor(call: Call): Promise<Descriptor>;
  diffId(call: Call): Promise<Digest>;
  compressed(call: Call): Bytes;
  uncompressed(call: Call): Bytes;
}

export interface Image {
  readonly kind: "image";
  manifest(call: Call): Promise<Descriptor>;
  config(call: Call): Promise<ImageConfig>;
  /** Oldest first. */
  layers(call: Call): Promise<readonly Layer[]>;
}

export interface ImageIndex {
  readonly kind: "index";
  manifest(call: Call): Promise<Descriptor>;
  children(call: Call): Promise<readonly (Image | ImageIndex)[]>;
}
