// What the ops of a definition say, as the engine reads them: checked, with words instead of numbers.

export type Op = SourceOp | ExecOp | FileOp | MergeOp | DiffOp | BuildOp | PassthroughOp;

/** Files from outside: `docker-image://…`, `git://…`, `https://…`, `local://…`, `oci-layout://…`. */
export interface SourceOp {
  readonly kind: "source";
  readonly identifier: string;
  readonly attrs: Readonly<Record<string, string>>;
}

/** A process in a root file system made of mounts. */
export interface ExecOp {
  readonly kind: "exec";
  readonly args: readonly string[];
  /** `NAME=value`, in order. */
  readonly env: readonly string[];
  readonly cwd: string;
  readonly user: string;
  readonly hostname: string;
  readonly cgroupParent: string;
  readonly extraHosts: readonly { readonly host: string; readonly ip: string }[];
  readonly ulimits: readonly {
    readonly name: string;
    readonly soft: number;
    readonly hard: number;
  }[];
  /** Set for the process, but no part of its cache key. */
  readonly proxyEnv?: ProxyEnv;
  readonly network: "sandbox" | "host" | "none";
  readonly security: "sandbox" | "insecure";
  /** By target; exactly one has the target "/". */
  readonly mounts: readonly ExecMount[];
  readonly secretEnv: readonly {
    readonly id: string;
    readonly name: string;
    readonly optional: boolean;
  }[];
  readonly devices: readonly { readonly name: string; readonly optional: boolean }[];
  readonly removeMountStubsRecursive: boolean;
  /** Exit codes that count as success; empty means 0 alone. */
  readonly validExitCodes: readonly number[];
  /** How many outputs the op has: mounts whose `output` is set. */
  readonly outputs: number;
}

export interface ProxyEnv {
  readonly http: string;
  readonly https: string;
  readonly ftp: string;
  readonly no: string;
  readonly all: string;
}

/** A mount of an exec op. `input` indexes the vertex's inputs, absent for an empty file system. */
export interface ExecMount {
  readonly type: "bind" | "cache" | "tmpfs" | "secret" | "ssh";
  readonly input?: number;
  readonly selector: string;
  /** Absolute and clean; a relative one was taken from the working directory. */
  readonly target: string;
  /** Index of the output that the changed files become; absent where changes are thrown away. */
  readonly output?: number;
  readonly readonly: boolean;
  readonly cache?: { readonly id: string; readonly sharing: "shared" | "private" | "locked" };
  /** Bytes; 0 for no limit. */
  readonly tmpfsSize?: number;
  readonly secret?: LentFile;
  readonly ssh?: LentFile;
  readonly contentCache: "default" | "on" | "off";
}

/** A secret or an agent's socket, as the process sees it. */
export interface LentFile {
  readonly id: string;
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
  readonly optional: boolean;
}

/** Changes to files, in order. */
export interface FileOp {
  readonly kind: "file";
  readonly actions: readonly FileAction[];
  /** How many outputs the op has. */
  readonly outputs: number;
}

/** Files that an action starts from or reads: an input of the vertex, or what an earlier action of the same op made. */
export type FileRef =
  | { readonly from: "input"; readonly index: number }
  | { readonly from: "action"; readonly index: number };

/** One change; absent `base` is the empty file system. */
export interface FileAction {
  readonly base?: FileRef;
  readonly source?: FileRef;
  readonly output?: number;
  readonly action: CopyAction | MkdirAction | MkfileAction | RmAction | SymlinkAction;
}

export interface CopyAction {
  readonly kind: "copy";
  readonly src: string;
  readonly dest: string;
  readonly owner?: Owner;
  /** Permission bits; absent keeps the source's. */
  readonly mode?: number;
  /** Symbolic permissions in the words of chmod; goes before `mode`. */
  readonly modeStr?: string;
  readonly followSymlink: boolean;
  readonly dirCopyContents: boolean;
  readonly attemptUnpack: boolean;
  readonly createDestPath: boolean;
  readonly allowWildcard: boolean;
  readonly allowEmptyWildcard: boolean;
  /** Nanoseconds since 1970; absent keeps the source's. */
  readonly timestamp?: bigint;
  readonly includePatterns: readonly string[];
  readonly excludePatterns: readonly string[];
  readonly alwaysReplaceExistingDestPaths: boolean;
  /** Paths that must exist, whatever the patterns match. */
  readonly requiredPaths: readonly string[];
}

export interface MkdirAction {
  readonly kind: "mkdir";
  readonly path: string;
  readonly mode: number;
  readonly makeParents: boolean;
  readonly owner?: Owner;
  readonly timestamp?: bigint;
}

export interface MkfileAction {
  readonly kind: "mkfile";
  readonly path: string;
  readonly mode: number;
  readonly data: Uint8Array;
  readonly owner?: Owner;
  readonly timestamp?: bigint;
}

export interface RmAction {
  readonly kind: "rm";
  readonly path: string;
  readonly allowNotFound: boolean;
  readonly allowWildcard: boolean;
}

export interface SymlinkAction {
  readonly kind: "symlink";
  readonly oldPath: string;
  readonly newPath: string;
  readonly owner?: Owner;
  readonly timestamp?: bigint;
}

export interface Owner {
  readonly user?: OwnerId;
  readonly group?: OwnerId;
}

/** A number, or a name looked up in /etc/passwd or /etc/group of an input of the vertex (absent: nowhere). */
export type OwnerId = { readonly id: number } | { readonly name: string; readonly input?: number };

/** File systems laid over one another: indexes of inputs, later over earlier. */
export interface MergeOp {
  readonly kind: "merge";
  readonly inputs: readonly number[];
}

/** What `upper` has that `lower` has not: indexes of inputs, absent for the empty file system. */
export interface DiffOp {
  readonly kind: "diff";
  readonly lower?: number;
  readonly upper?: number;
}

/** A definition found in the files of an input, and built. */
export interface BuildOp {
  readonly kind: "build";
  /** Absent when the builder is the engine itself. */
  readonly builder?: number;
  readonly inputs: Readonly<Record<string, number>>;
  readonly attrs: Readonly<Record<string, string>>;
}

/** All inputs are built; some are given on. */
export interface PassthroughOp {
  readonly kind: "passthrough";
  readonly id: string;
  /** By output: the index of the input that it is. */
  readonly outputs: readonly number[];
}
