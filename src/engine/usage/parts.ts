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
  /** Directories in which there is something new whenever anything large was added. */
  readonly grows: readonly string[];
  /** Notes of which blob a layer was packed as. */
  readonly madeLayers: string;
  /** Notes of where blobs came from. */
  readonly origins: string;
  /** Things that builds keep by name, with the type that their records have. */
  readonly kept: readonly { readonly things: Kept; readonly type: string }[];
  /** Directories with one directory a build in each: what was recorded of it, and what its steps said. */
  readonly builds: { readonly history: string; readonly logs: string };
  /** What is remembered of steps for explanations: its size in bytes, and since when nothing was added. */
  readonly steps: {
    extent(): { readonly size: number; readonly at: number | undefined };
    clear(): void;
  };
  readonly now: () => Date;
}
