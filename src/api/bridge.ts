// All that a frontend may touch. The gateway protocol is this interface over gRPC and nothing more.
import type { Duplex } from "node:stream";
import type { Call, Digest } from "../base/index.ts";
import type { Definition } from "../formats/llb/index.ts";
import type { ImageConfig, Platform } from "../formats/oci/index.ts";
import type { Attrs, ExportRequest } from "./builder.ts";
import type { Container, ContainerRequest, FailedStep, FailedWork } from "./container.ts";
import type { Warning } from "./events.ts";
import type { MetaOptions, NamedSource, SourceMeta, SourcePolicy } from "./policy.ts";

/** How eagerly a name is looked up again: `default` asks the registry, `local` prefers what is in the store. */
export type ResolveMode = "default" | "pull" | "local";

export interface ResolveImageOptions {
  readonly platform: Platform;
  readonly mode?: ResolveMode;
  /** Set where the image is in an OCI layout that the asking side lends, under this name; the reference has a digest then. */
  readonly layout?: string;
  /** Words for the progress line, such as `[internal] load metadata for docker.io/library/busybox:latest`. */
  readonly logName?: string;
}

/** What a name stands for on one platform. */
export interface ResolvedImage {
  /** Normalised, with the digest of what the name points at (an index, where it is one): `docker.io/library/busybox:latest@sha256:…`. */
  readonly reference: string;
  readonly digest: Digest;
  readonly config: ImageConfig;
  /** Bytes of the config document, for who needs it unchanged. */
  readonly rawConfig: Uint8Array;
}

/** A solved definition whose files can be read. Owned by the bridge; gone when the build ends. */
export interface ResultRef {
  readFile(path: string, call: Call): Promise<Uint8Array>;
  /** At most the first `length` bytes of a file, however large that is; undefined where there is none. */
  readStart(path: string, length: number, call: Call): Promise<Uint8Array | undefined>;
  readDir(path: string, call: Call): Promise<readonly string[]>;
  /** The same with what is known of each, of those only that match `include` (`*.txt`); links are not followed. */
  entries(
    path: string,
    include: string | undefined,
    call: Call,
  ): Promise<readonly (FileStat & { readonly name: string })[]>;
  /** Undefined where there is nothing; links are followed. */
  stat(path: string, call: Call): Promise<FileStat | undefined>;
}

/** What is known of one file of a result. */
export interface FileStat {
  readonly size: number;
  /** File type and permission bits, as in `st_mode`. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Nanoseconds since 1970. */
  readonly mtime: bigint;
  /** Where a symbolic link points. */
  readonly linkname?: string;
}

/** What a frontend is asked for by another one, or by a client that drives its build itself. */
export interface FrontendRequest {
  readonly name: string;
  readonly attrs: Attrs;
  readonly inputs: Readonly<Record<string, Definition>>;
}

/** A frontend lent for one build: by a client, which asks over the wire for what the bridge offers. */
export type Drive = (bridge: BuildBridge, call: Call) => Promise<FrontendResult>;

/** Speaks BuildKit's gateway protocol on a byte stream, and resolves with what the other end returns. */
export type ServeBridge = (
  bridge: BuildBridge,
  socket: Duplex,
  call: Call,
) => Promise<FrontendResult>;

export interface BuildBridge {
  /** Solves now. Undefined is the empty result (scratch). */
  solve(definition: Definition, call: Call): Promise<ResultRef | undefined>;
  resolveImage(reference: string, options: ResolveImageOptions, call: Call): Promise<ResolvedImage>;
  /** What a source stands for, and what the build's policies put in its place. Throws `SOURCE_DENIED`. */
  resolveSource(source: NamedSource, options: MetaOptions, call: Call): Promise<SourceMeta>;
  /**
   * When the files of a definition were last changed, as their source tells or, for files made of one, as the newest of
   * them has it. Undefined where nothing tells. `logName` is the words for the progress line.
   */
  modified(definition: Definition, logName: string, call: Call): Promise<Date | undefined>;
  /** The definition as the build's policies let it be; itself where they change nothing. Throws `SOURCE_DENIED`. */
  allowed(definition: Definition, call: Call): Promise<Definition>;
  /** The same build under further rules for its sources. Throws `REQUEST_INVALID` for rules that make no sense. */
  under(policies: readonly SourcePolicy[]): BuildBridge;
  /** Looks into further caches, for the rest of the build. Those that cannot be had are warnings. */
  importCaches(imports: readonly ExportRequest[], call: Call): Promise<void>;
  /** Runs another frontend on this build, with attributes and inputs of its own. Nothing is solved for its result yet. */
  frontend(request: FrontendRequest, call: Call): Promise<FrontendResult>;
  /** Of the build's session, where other builds lend the same directories at the same time (`Session.localsId`). */
  readonly localsId?: string;
  /** Definitions that came with the request, by name (`dockerfile`). */
  readonly inputs: Readonly<Record<string, Definition>>;
  /** A container beside the build, which ends with it. Throws `ENTITLEMENT_MISSING` for what the build may not do. */
  container(request: ContainerRequest, call: Call): Promise<Container>;
  /** Steps that have failed in this build so far, where somebody drives it. */
  failures(): readonly FailedStep[];
  /** What the step left that failed last of those with this digest. Absent where it is not kept. */
  failedWork?(step: Digest): FailedWork | undefined;
  /** `step` is what it is about, where it is about one step. */
  warn(warning: Warning, step?: Digest): void;
  /** What can be built here, native first. */
  readonly platforms: readonly Platform[];
}

/** One platform's outcome: what to solve, and the image configuration for it. */
export interface PlatformResult {
  readonly platform: Platform;
  /** `linux/arm64`, as the reference's keys spell it. */
  readonly id: string;
  /** Undefined is scratch. */
  readonly definition: Definition | undefined;
  readonly config: ImageConfig;
  /** Config of the base image that the result was made from, for history-preserving exporters. */
  readonly baseConfig?: ImageConfig;
  /** SOURCE_DATE_EPOCH where the frontend decided it. */
  readonly epoch?: Date;
  /** Further files for a bill of materials, by name. */
  readonly sbomExtras?: ReadonlyMap<string, Definition>;
  /** What the frontend says about this result beside it. */
  readonly attestations?: readonly FrontendAttestation[];
}

/** What an in-toto statement is about: the result itself, perhaps under one more name, or what has these digests. */
export interface AttestationSubject {
  readonly kind: "self" | "raw";
  /** Empty where it has none. */
  readonly name: string;
  /** Of `raw` only: `sha256:…`. */
  readonly digests: readonly string[];
}

/** A predicate, or a directory of whole statements, in the files that a frontend solved. */
export interface FrontendAttestation {
  readonly kind: "in-toto" | "bundle";
  /** Undefined is scratch. */
  readonly definition: Definition | undefined;
  /** Of the predicate's file, or of the directory; its last part names the file in exported directories. */
  readonly path: string;
  /** Of a bundle: which type all of its statements must be of, or empty. */
  readonly predicateType: string;
  /** None is the result itself. Of a bundle the statements say it. */
  readonly subjects: readonly AttestationSubject[];
  /** `reason`, `inline-only`, `sbom-core`. */
  readonly metadata: Attrs;
}

/** What a frontend answers: results to solve and export, in the platforms' order, or a sub-request's text. */
export interface FrontendResult {
  readonly platforms: readonly PlatformResult[];
  /** True when an index is to be made even for a single platform. */
  readonly multiPlatform: boolean;
  readonly metadata: Attrs;
  /** The image's name, where whoever asks leaves that to the frontend (`name=*`). */
  readonly imageName?: string;
  /** For images, by the names that exporters have for them: `annotation-index.KEY`, `annotation[linux/arm64].KEY`. */
  readonly annotations?: Attrs;
}
