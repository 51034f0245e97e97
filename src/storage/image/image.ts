// What an image of one platform is made of, once a registry has been asked.
import type { Digest } from "../../base/index.ts";
import type {
  Descriptor,
  ImageConfig,
  Index,
  Manifest,
  Platform,
} from "../../formats/oci/index.ts";
import type { ContentStore } from "../content/index.ts";
import type { PullRepository } from "../registry/index.ts";

/** One layer: the packed blob, and the digest of the tar inside. */
export interface ImageLayer {
  readonly descriptor: Descriptor;
  readonly diffId: Digest;
}

/** The documents of one platform's image. Its layers are known by descriptor only; nothing of them is fetched. */
export interface PlatformImage {
  /** What the name points at: an index, where it is one. */
  readonly root: Descriptor;
  /** The index at `root`, where it is one. */
  readonly index?: Index;
  readonly manifestDescriptor: Descriptor;
  readonly manifest: Manifest;
  readonly config: ImageConfig;
  /** The configuration's bytes, unchanged. */
  readonly rawConfig: Uint8Array;
  /** As the index or else the configuration says; not always what was asked for when there is no index. */
  readonly platform: Platform;
  /** Oldest first. */
  readonly layers: readonly ImageLayer[];
}

export interface ResolveImageRequest {
  readonly repository: PullRepository;
  /** A name with tag or digest; its host and path are for messages only. */
  readonly reference: string;
  readonly platform: Platform;
  /** Manifests and configurations are kept here by digest, so that an unchanged tag costs one request. */
  readonly content: ContentStore;
}
