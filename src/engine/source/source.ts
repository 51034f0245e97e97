// A kind of root vertex: image, git, http, local, oci-layout.
import type { Session, SourceMeta, StepCall } from "../../api/index.ts";
import { type Digest, digestOf } from "../../base/index.ts";
import type { Platform } from "../../formats/oci/index.ts";
import type { Snapshot } from "../../storage/snapshot/index.ts";

/** What an LLB SourceOp says: `docker-image://docker.io/library/busybox:latest@sha256:…` and its attributes. */
export interface SourceId {
  /** Without the `://`. */
  readonly scheme: string;
  readonly rest: string;
  readonly attrs: Readonly<Record<string, string>>;
  readonly platform: Platform;
}

export interface Source {
  readonly scheme: string;
  resolve(id: SourceId, session: Session, call: StepCall): Promise<ResolvedSource>;
}

export interface ResolvedSource {
  /** The immutable name of what was found: manifest digest, commit, content hash. */
  readonly cacheKey: Digest;
  /** The same for people and provenance. */
  readonly pin: string;
  /** More of it, for who asks without wanting the files. */
  readonly meta?: Pick<SourceMeta, "git" | "http">;
  /** When what was found was last changed, where the source can tell. */
  modified?(call: StepCall): Promise<Date | undefined>;
  /** Undefined is the empty file system. The caller owns the snapshot. */
  fetch(call: StepCall): Promise<Snapshot | undefined>;
}

/** What a source is to the cache, given what it found: BuildKit's name for it. */
export function sourceKey(found: string): Digest {
  return digestOf(`buildkit.source.v0:${found}`);
}
