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
  blob(digest: Digest, call: Call): { readonly size: number; readonly data: Bytes } | undefined;
}
