// What accounting and pruning are made of; lent by the engine.
import type { ContentStore } from "../../storage/content/index.ts";
import type { ImageRecords } from "../../storage/image/index.ts";
import type { Kept } from "../../storage/kept/index.ts";
import type { Metadata } from "../../storage/metadata/index.ts";
import type { CollectableSnapshotter } from "../../storage/snapshot/index.ts";

export interface UsageParts {
  /** Absolute: everything below it is counted. */
  readonly root: string;
  readonly content: ContentStore;
  readonly snapshotter: CollectableSnapshotter;
  readonly images: ImageRecords;
  readonly metadata: Metadata;
  /** Notes of which blob a layer was packed as. */
  readonly madeLayers: string;
  /** Notes of where blobs came from. */
  readonly origins: string;
  /** Things that builds keep by name, with the type that their records have. */
  readonly kept: readonly { readonly things: Kept; readonly type: string }[];
  readonly now: () => Date;
}
