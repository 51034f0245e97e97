// What exporters are made of: handed in by the engine, the same for all of them.
import type { Session } from "../../api/index.ts";
import type { ContentStore } from "../../storage/content/index.ts";
import type { BlobOrigins, ImageRecords } from "../../storage/image/index.ts";
import type { Registry, RepositoryListing } from "../../storage/registry/index.ts";
import type { Snapshotter } from "../../storage/snapshot/index.ts";

export interface ExporterParts {
  /** A client that asks this session for credentials. `insecure` is `registry.insecure`: plain http and unknown certificates will do. */
  registry(session: Session, options: { readonly insecure: boolean }): Registry;
  /** What a repository's own host tells of it, by a client that `registry` gave. */
  listing?(registry: Registry, repository: string): RepositoryListing | undefined;
  readonly content: ContentStore;
  readonly snapshotter: Snapshotter;
  readonly records: ImageRecords;
  readonly origins: BlobOrigins;
  /** Where the exporters keep what they remember of layers they have made. */
  readonly directory: string;
  readonly now: () => Date;
}
