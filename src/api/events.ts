// What a build says while it runs: typed events; rendering is somebody else's work.
import type { Call, Digest, SourcePlace } from "../base/index.ts";
import type { SourceLocation } from "../formats/llb/index.ts";
import type { Explanation } from "./explanation.ts";

/** Steps shown as one line, such as the ops of one Dockerfile instruction (LLB's ProgressGroup). */
export interface ProgressGroup {
  readonly id: string;
  readonly name?: string;
  readonly weak?: boolean;
}

/** Something that deserves a word but does not stop the build. */
export interface Warning {
  /** One line. */
  readonly message: string;
  readonly detail?: readonly string[];
  /** Page that explains it. */
  readonly url?: string;
  readonly rule?: string;
  readonly at?: SourcePlace;
  /** Every place in the file, where somebody names several; goes before `at`. */
  readonly location?: SourceLocation;
  /** How bad it is, as whoever warns counts it; 1 where absent. */
  readonly level?: number;
}

export type StepState = "planned" | "started" | "cached" | "done" | "failed" | "cancelled";

/** The same facts as BuildKit's StatusResponse: vertexes, statuses, logs, warnings. */
export type BuildEvent =
  | {
      readonly type: "step";
      readonly step: Digest;
      readonly name: string;
      readonly at: Date;
      readonly state: StepState;
      readonly inputs?: readonly Digest[];
      readonly group?: ProgressGroup;
      readonly error?: string;
      /** Of a failed step that said something: path of its whole output, on the builder's side. */
      readonly log?: string;
    }
  | {
      readonly type: "progress";
      readonly step: Digest;
      /** Names one piece of work inside the step, such as a layer's digest. */
      readonly id: string;
      readonly at: Date;
      /** Bytes, unless `unit` says otherwise. */
      readonly current: number;
      readonly total?: number;
      readonly done?: boolean;
    }
  | {
      readonly type: "log";
      readonly step: Digest;
      /** 1 is standard output, 2 standard error. */
      readonly stream: 1 | 2;
      readonly data: Uint8Array;
      readonly at: Date;
    }
  | {
      readonly type: "warning";
      readonly step?: Digest;
      readonly warning: Warning;
      readonly at: Date;
    }
  /** Only in builds that were asked to explain: a step begins that was not cached. */
  | {
      readonly type: "explanation";
      readonly step: Digest;
      readonly explanation: Explanation;
      readonly at: Date;
    };

/** A call made on behalf of a step, which may therefore speak. Speaking never throws and never waits. */
export interface StepCall extends Call {
  readonly step: Digest;
  readonly emit: (event: BuildEvent) => void;
}
