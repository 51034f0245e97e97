// What the image source is made of, and what it answers beyond being a source.
import type { ResolvedImage, ResolveImageOptions, Session } from "../../../api/index.ts";
import type { Call, Digest } from "../../../base/index.ts";
import type { ContentStore } from "../../../storage/content/index.ts";
import type { BlobOrigins, ImageRecords } from "../../../storage/image/index.ts";
import type { Registry } from "../../../storage/registry/index.ts";
import type { Snapshotter } from "../../../storage/snapshot/index.ts";
import type { Source } from "../source.ts";

export interface ImageSourceOptions {
  /** A client that asks this session for credentials. */
  registry(session: Session): Registry;
  readonly content: ContentStore;
  readonly snapshotter: Snapshotter;
  readonly records: ImageRecords;
  readonly origins: BlobOrigins;
  /** Told of the other key that BuildKit has for an image: a cache of its may know the image by that one alone. */
  readonly otherKeys?: { add(step: Digest, other: Digest): void };
}

/** Scheme `docker-image`, and the look-up of names for frontends. */
export interface ImageSource extends Source {
  /**
   * What `reference` stands for on one platform. Throws `REFERENCE_INVALID`, `IMAGE_NOT_FOUND`, `PLATFORM_NOT_OFFERED`
   * and the registry's errors.
   */
  resolveImage(
    reference: string,
    options: ResolveImageOptions,
    session: Session,
    call: Call,
  ): Promise<ResolvedImage>;
}
