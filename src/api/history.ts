// What is remembered of builds: records of those that run and have run, with their progress.
import type { Bytes, Call, Digest } from "../base/index.ts";
import type { Attrs, ExportRequest } from "./builder.ts";

/** How a build failed: gRPC's code, with typed details as they go over BuildKit's wire. */
export interface RecordedError {
  readonly code: number;
  readonly message: string;
  readonly details: readonly { readonly typeUrl: string; readonly value: Uint8Array }[];
}

/** A file that belongs to a record. */
export interface RecordedBlob {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  /** Such as `in-toto.io/predicate-type`, which says what an attestation is. */
  readonly annotations?: Attrs;
}

/** What belongs to the result for one platform. */
export interface RecordedResult {
  readonly attestations: readonly RecordedBlob[];
  /** Descriptors of what was exported; their files may be elsewhere. */
  readonly results: readonly RecordedBlob[];
}

/** One build. Without `completedAt` it runs. */
export interface BuildRecord {
  readonly ref: string;
  readonly frontend: string;
  readonly attrs: Attrs;
  readonly exporters: readonly ExportRequest[];
  readonly createdAt: Date;
  readonly completedAt?: Date;
  readonly error?: RecordedError;
  readonly exporterResponse: Attrs;
  /** All that the build said: StatusResponse messages, each after four bytes of its size, low first. */
  readonly logs?: RecordedBlob;
  /** Spans of the build, one JSON document (a SpanStub of OpenTelemetry's Go library) a line. */
  readonly trace?: RecordedBlob;
  /** By platform (`linux/amd64`); the empty key is the result as such. */
  readonly results?: Readonly<Record<string, RecordedResult>>;
  /** Kept until it is unpinned or deleted. */
  readonly pinned: boolean;
  /** Counts the record's changes. */
  readonly generation: number;
  readonly cachedSteps: number;
  readonly totalSteps: number;
  readonly completedSteps: number;
  readonly warnings: number;
}

export interface HistoryEvent {
  readonly type: "started" | "complete" | "deleted";
  readonly record: BuildRecord;
}

/** Which records are wanted. */
export interface HistoryQuery {
  readonly ref?: string;
  readonly activeOnly?: boolean;
  /** Ends after what is known already. */
  readonly earlyExit?: boolean;
  /** As `status==error`; all must match. */
  readonly filters?: readonly string[];
  /** The newest so many; all where absent. */
  readonly limit?: number;
}

export interface BuildHistory {
  /** Records that are there, then what becomes of them, until the call is cancelled. */
  listen(query: HistoryQuery, call: Call): AsyncIterable<HistoryEvent>;
  /** Throws `RECORD_NOT_FOUND`. */
  update(
    ref: string,
    change: { readonly pinned?: boolean; readonly delete?: boolean },
    call: Call,
  ): Promise<void>;
  /**
   * Progress of a build from its first word, as encoded StatusResponse messages; of one that runs, until it ends. Undefined
   * where no such build is known.
   */
  status(ref: string, call: Call): AsyncIterable<Uint8Array> | undefined;
  /** A record's file. Undefined where there is none. */
  blob(
    digest: Digest,
    call: Call,
  ): Promise<{ readonly size: number; readonly data: Bytes } | undefined>;
  /**
   * Takes a record of another builder with its files; one with the same ref is replaced. Absent where records are the
   * builder's own business. Throws `REQUEST_INVALID` when a build of that ref runs.
   */
  take?(record: BuildRecord, files: ReadonlyMap<Digest, Uint8Array>, call: Call): Promise<void>;
  /** Writes what is still being gathered about a build. Absent where records are whole when builds have ended. */
  finalize?(ref: string, call: Call): Promise<void>;
}
