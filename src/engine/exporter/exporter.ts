// Where results go: two steps on purpose, `prepare` makes artifacts in order, `finish` pushes or sends.
import type {
  AttestationSubject,
  Attrs,
  NamedDocument,
  Session,
  StepCall,
} from "../../api/index.ts";
import type { Call } from "../../base/index.ts";
import type { Descriptor, ImageConfig, Platform } from "../../formats/oci/index.ts";
import type { LayerBlob, Snapshot, SnapshotLayer } from "../../storage/snapshot/index.ts";

/** One platform's files and configuration, as solved. */
export interface SolvedPlatform {
  readonly platform: Platform;
  readonly id: string;
  /** Undefined is the empty file system. Lent. */
  readonly snapshot: Snapshot | undefined;
  /** Without rootfs and with the history lines of all steps: the exporter matches them to layers. */
  readonly config: ImageConfig;
  /**
   * What the image's configuration is to say of its steps (`moby.buildkit.cache.v0`), given the snapshot's layers and
   * whether the image lists each. Undefined where there is nothing to say.
   */
  readonly inlineCache?: (
    layers: readonly { readonly id: string; readonly listed: boolean }[],
  ) => Promise<Uint8Array | undefined>;
  /** What is said about the result beside it. */
  readonly attestations?: readonly ResultAttestation[];
}

/** Something that is said about one platform's result. */
export interface ResultAttestation {
  readonly predicateType: string;
  /** Name of its file in exported directories. */
  readonly filename: string;
  /** Only beside images, not in exported directories. */
  readonly inlineOnly: boolean;
  /** What it is about; the result itself where absent or empty. */
  readonly subjects?: readonly AttestationSubject[];
  /** The predicate; `layers` are the result's, as they were packed, where they were. */
  predicate(layers: readonly LayerBlob[], call: Call): Promise<unknown>;
}

export interface SolvedResult {
  readonly platforms: readonly SolvedPlatform[];
  readonly multiPlatform: boolean;
  /** As the frontend names the image, for exporters that are asked to call it so. */
  readonly imageName?: string;
  /** Of the frontend, as attributes (`annotation-index.KEY`); they win over those of the request. */
  readonly annotations?: Attrs;
  /** Which of the request's exporters it is handed to, counted from 0; 0 where absent. */
  readonly output?: number;
  /** Seconds since 1970 for all timestamps. */
  readonly sourceDateEpoch: number | undefined;
}

export interface Exporter {
  readonly type: string;
  /** Whether there is such an attribute. Others are refused by every other function. */
  knows(attribute: string): boolean;
  /** Refuses before any work what is certain to fail: malformed attributes, registries that deny or do not answer. */
  check?(attrs: Attrs, session: Session, call: Call): Promise<void>;
  /**
   * Packs a layer that will be part of the result, at leisure; `prepare` finds it packed, or joins in and makes haste. Does
   * nothing where the export needs no packed layers. The layer is lent.
   */
  anticipate?(
    layer: SnapshotLayer,
    times: Pick<SolvedResult, "sourceDateEpoch">,
    attrs: Attrs,
    session: Session,
    call: StepCall,
  ): Promise<void>;
  prepare(
    result: SolvedResult,
    attrs: Attrs,
    session: Session,
    call: StepCall,
  ): Promise<PreparedExport>;
}

/** Disposing one that is not finished, or not kept, undoes it as far as that can be. */
export interface PreparedExport extends AsyncDisposable {
  readonly descriptor?: Descriptor;
  /** Of an image, all but its layers: what `descriptor` names first. */
  readonly documents?: readonly NamedDocument[];
  /** Answers with the reference's response keys. */
  finish(call: StepCall): Promise<Attrs>;
  /** All exports of the build have finished. */
  keep?(): void;
}
