// The hinge: the engine is a Builder, the gRPC client is one, the daemon serves one. The command cannot tell which it has.
import type { Call, Digest } from "../base/index.ts";
import type { Definition } from "../formats/llb/index.ts";
import type { Descriptor, Platform } from "../formats/oci/index.ts";
import type { Drive } from "./bridge.ts";
import type { BuildEvent } from "./events.ts";
import type { BuildHistory } from "./history.ts";
import type { PlanReport } from "./plan.ts";
import type { CheckSource, SourcePolicy } from "./policy.ts";
import type { Session } from "./session.ts";

/** Attributes as they go over BuildKit's wire. */
export type Attrs = Readonly<Record<string, string>>;

/** One wanted output, such as `{ type: "image", attrs: { name: "r/app:1", push: "true" } }` (features.md D-40 ff.). */
export interface ExportRequest {
  readonly type: string;
  readonly attrs: Attrs;
  /** Attributes that the exporter does not know are passed over, as BuildKit's daemon does; refused where absent. */
  readonly tolerant?: boolean;
}

/** Limits of one step's processes, as far as the machine can hold them (LLB's LinuxResources). */
export interface StepResources {
  /** Bytes. */
  readonly memory?: number;
  /** Memory and swap together, in bytes; -1 for no limit. */
  readonly memorySwap?: number;
  /** A weight; 1024 is the ordinary one. */
  readonly cpuShares?: number;
  /** Microseconds. */
  readonly cpuPeriod?: number;
  /** Microseconds of processor time in a period. */
  readonly cpuQuota?: number;
  /** Such as `0-2,4`. */
  readonly cpusetCpus?: string;
  readonly cpusetMems?: string;
}

/** What to build: BuildKit's SolveRequest. Either a frontend with its attributes, or a definition. */
export interface BuildRequest {
  readonly ref: string;
  readonly frontend?: "dockerfile.v0" | "gateway.v0";
  /** Frontend options: `filename`, `target`, `platform`, `build-arg:K`, `label:K`, `no-cache`, ... (F-80 ff.). */
  readonly attrs: Attrs;
  readonly definition?: Definition;
  /** In place of a frontend and a definition: what drives the build. On a daemon it is asked over the wire. */
  readonly drive?: Drive;
  readonly inputs?: Readonly<Record<string, Definition>>;
  readonly exporters: readonly ExportRequest[];
  /** The session is asked for further exporters when everything is solved. */
  readonly sessionExporters?: boolean;
  readonly cacheImports?: readonly ExportRequest[];
  readonly cacheExports?: readonly ExportRequest[];
  /** What steps may have beyond the sandbox: `network.host`, `security.insecure`, `device`. */
  readonly entitlements?: readonly string[];
  /** Rules for all sources of the build, also for those that its frontend looks up. */
  readonly sourcePolicies?: readonly SourcePolicy[];
  /** Asked of every source, after the rules. Only within one process. */
  readonly checkSource?: CheckSource;
  /** Steps reach servers through a proxy alone, which judges every request by the rules; no part of cache keys. */
  readonly proxyNetwork?: boolean;
  /** Limits of every step's processes; no part of cache keys. */
  readonly resources?: StepResources;
  /** A failed step does not stop those that do not need it; all failures are told at the end. */
  readonly keepGoing?: boolean;
  /** Tell of every step that runs why it was not cached. */
  readonly explain?: boolean;
  /** Before anything is exported, programs in the result that are for other processors are told of, or fail the build. */
  readonly checkArch?: "warn" | "error";
  /** Nothing is run or exported: the answer is what would be. */
  readonly plan?: boolean;
  /** Leave no record in the history. */
  readonly internal?: boolean;
  /** The build fails before anything is exported when a step had to run. */
  readonly expectCached?: boolean;
}

/** What came of it; `exporterResponse` has the reference's keys (`image.name`, `containerimage.digest`, ...). */
/** A manifest, a configuration or a statement, and what names it. */
export interface NamedDocument {
  readonly descriptor: Descriptor;
  readonly data: Uint8Array;
}

export interface BuildResult {
  readonly exporterResponse: Attrs;
  readonly descriptor?: Descriptor;
  /** Of each image that was exported, all but its layers, the root first. Absent where the builder does not lend them. */
  readonly images?: readonly (readonly NamedDocument[])[];
  /** SLSA provenance v1 of mode `max` by platform, worked out when asked for; absent where the builder keeps none. */
  readonly provenance?: () => Readonly<Record<string, unknown>>;
  /** Where it was built: a place for each node that had a part in it. Absent where this process did it all. */
  readonly places?: readonly BuildPlace[];
  /** For requests that ask for it. */
  readonly plan?: PlanReport;
}

/** A build, or a part of one, on one node of a builder. */
export interface BuildPlace {
  readonly builder: string;
  readonly node: string;
  /** The node's own name for it. */
  readonly ref: string;
  /** What the node remembers; absent where it remembers nothing. */
  readonly history?: BuildHistory;
}

export interface BuilderInfo {
  readonly name: string;
  readonly version: string;
  /** Native first, then what emulation adds. */
  readonly platforms: readonly Platform[];
  readonly labels: Attrs;
  /** By which rules it lets go of what it keeps; absent where it says nothing of them. */
  readonly gc?: readonly GcRule[];
  /** That steps may ask for, by CDI name; absent where it says nothing of them. */
  readonly devices?: readonly {
    readonly name: string;
    /** Without being allowed to. */
    readonly autoAllow: boolean;
    readonly annotations: Attrs;
  }[];
}

/** One rule of collecting, its sizes in bytes and 0 where it sets no limit. */
export interface GcRule {
  readonly all: boolean;
  /** Milliseconds: what was used since stays. */
  readonly keepDuration?: number;
  readonly filters: readonly string[];
  readonly reservedSpace: number;
  readonly maxUsedSpace: number;
  readonly minFreeSpace: number;
}

/** One record of what the builder keeps on disk. */
export interface UsageRecord {
  readonly id: string;
  readonly type: string;
  readonly description: string;
  readonly size: number;
  readonly inUse: boolean;
  readonly mutable: boolean;
  readonly shared: boolean;
  readonly createdAt: Date;
  readonly lastUsedAt?: Date;
  readonly usageCount: number;
  readonly parents: readonly string[];
  /** What the store itself takes: nothing that pruning could remove. */
  readonly overhead?: true;
}

export interface PruneFilter {
  readonly all?: boolean;
  /** All of them have to hold: `KEY=VALUE`, `KEY!=VALUE`, `KEY~=PATTERN` or a bare word. */
  readonly filters?: readonly string[];
  /** BuildKit's: one of them has to hold, and in it every condition between commas. */
  readonly anyOf?: readonly string[];
  readonly reservedSpace?: number;
  readonly maxUsedSpace?: number;
  readonly minFreeSpace?: number;
}

/** A running build. Cancelling the call that began it stops everything it started; `result` then rejects. */
export interface Build {
  /** Ends when the build has ended; must be read by one reader only. */
  readonly events: AsyncIterable<BuildEvent>;
  readonly result: Promise<BuildResult>;
}

export interface Builder extends AsyncDisposable {
  info(call: Call): Promise<BuilderInfo>;
  build(request: BuildRequest, session: Session, call: Call): Build;
  diskUsage(call: Call): Promise<readonly UsageRecord[]>;
  prune(filter: PruneFilter, call: Call): AsyncIterable<UsageRecord>;
  /** Absent where builds are not remembered. */
  readonly history?: BuildHistory;
}

/** Names one thing that happened, for messages: digest of a vertex and the words for it. */
export interface StepName {
  readonly step: Digest;
  readonly name: string;
}
