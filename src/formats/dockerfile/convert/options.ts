// What the conversion of a Dockerfile is told, what it may ask, and what it answers.
import type { Definition, State } from "../../llb/index.ts";
import type { ImageConfig, Platform } from "../../oci/index.ts";
import type { LintWarning } from "../lint/index.ts";

export interface ConvertOptions {
  /** Name of the file in errors and source maps; `Dockerfile` where absent. */
  readonly filename?: string;
  /** What the file was read from, for source maps. */
  readonly fileDefinition?: Definition;
  /** Name or number of the stage to build; the last one where absent. */
  readonly target?: string;
  /** Absent: the platform follows from the base image, as far as it is one of `buildPlatforms`. */
  readonly targetPlatform?: Platform;
  /** What runs here, native first; not empty. */
  readonly buildPlatforms: readonly Platform[];
  readonly buildArgs?: Readonly<Record<string, string>>;
  /** Added to the image's. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Stages that run even when cached; empty is all of them. */
  readonly noCache?: readonly string[];
  readonly imageResolveMode?: "default" | "pull" | "local";
  /** True when the result may hold several platforms: step names then tell theirs. */
  readonly multiPlatform?: boolean;
  readonly networkMode?: "sandbox" | "host" | "none";
  readonly extraHosts?: readonly { readonly host: string; readonly ip: string }[];
  readonly ulimits?: readonly {
    readonly name: string;
    readonly soft: number;
    readonly hard: number;
  }[];
  /** Bytes. */
  readonly shmSize?: number;
  readonly hostname?: string;
  readonly cgroupParent?: string;
  /** Goes before the ids of cache mounts. */
  readonly cacheIdNamespace?: string;
  readonly context?: ContextOptions;
  /** `--build-context`: name, or name::platform, to `docker-image://…`, `local:…`, `git://…`, `https://…`, `oci-layout://…`. */
  readonly namedContexts?: Readonly<Record<string, string>>;
  /** What `input:NAME` in `namedContexts` stands for. */
  readonly inputs?: Readonly<Record<string, ContextInput>>;
  /** By name of a lent directory, the session that lends it, where that is not the one that asked for the build. */
  readonly sessionIds?: Readonly<Record<string, string>>;
  /** By named context, what a lent directory's files are told apart from others' by in the cache of transfers. */
  readonly sharedKeys?: Readonly<Record<string, string>>;
  /** A fresh name each time it is called; whatever must differ between two builds comes from here. */
  readonly newId: () => string;
  /** Convert stages that the target does not need too; for checks. */
  readonly allStages?: boolean;
  /** Words of the `check` directive, where given otherwise than in the file (BUILDKIT_DOCKERFILE_CHECK). */
  readonly check?: string;
}

/** The build context: a directory that the asking side lends, or other files. */
export interface ContextOptions {
  /** Name of the lent directory; `context` where absent. */
  readonly localName?: string;
  readonly sessionId?: string;
  readonly sharedKeyHint?: string;
  /** Patterns of .dockerignore: these files are not sent, and COPY of them is warned of. */
  readonly ignorePatterns?: readonly string[];
  /** Where the context is no lent directory: a repository, the files of an archive. */
  readonly state?: State;
}

/** Files that came with the request, as a definition. */
export interface ContextInput {
  readonly files: State;
  /** The image configuration that goes with them; absent where they are no image. */
  readonly config?: Uint8Array;
}

/** All that conversion needs from outside. */
export interface ConvertIo {
  /** Looks an image up. Asked for several at once; called again with the same question for another platform's build. */
  resolveImage(reference: string, options: ImageQuestion): Promise<ImageAnswer>;
  /** Patterns in the .dockerignore of a lent directory that is a named context. */
  ignorePatterns?(localName: string): Promise<readonly string[]>;
  /** When the files of a source were last changed, for SOURCE_DATE_EPOCH=context and the like; undefined if unknown. */
  sourceTime?(source: State, logName: string): Promise<Date | undefined>;
  /** Told at the end what the build checks have found, also where the conversion fails. */
  warn?(warning: LintWarning): void;
}

export interface ImageQuestion {
  readonly platform: Platform;
  readonly mode: "default" | "pull" | "local";
  /** Words for the progress line. */
  readonly logName: string;
  /** Set where the image is not in a registry but in an OCI layout that the asking side lends. */
  readonly layout?: { readonly sessionId?: string; readonly storeId?: string };
}

export interface ImageAnswer {
  /** The name that was found under, where it is another than was asked for. */
  readonly reference?: string;
  /** Digest of what the name points at; absent leaves the name as it is. */
  readonly digest?: string;
  /** The configuration document. */
  readonly config: Uint8Array;
}

export interface ConvertResult {
  /** The graph; undefined for the empty result (`FROM scratch` without more). */
  readonly definition: Definition | undefined;
  /** The image's configuration; layers are added by who makes them. */
  readonly image: ImageConfig;
  /** Configuration of the base image that the target was made from. */
  readonly baseImage?: ImageConfig;
  /** SOURCE_DATE_EPOCH, resolved. */
  readonly epoch?: Date;
  /** Further definitions to make a bill of materials of, by name: stages, or `context`. */
  readonly sbomExtras: ReadonlyMap<string, Definition>;
  /** True when a stage of the result must not be taken from the cache. */
  readonly ignoresCache: boolean;
}
