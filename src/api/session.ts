// What the asking side lends while its build runs: files, secrets, credentials. In-process a plain object; over gRPC, callbacks.
import type { Duplex } from "node:stream";
import type { Bytes, Call, Digest } from "../base/index.ts";
import type { FrontendResult } from "./bridge.ts";
import type { Attrs, ExportRequest } from "./builder.ts";
import type { CheckSource } from "./policy.ts";

/** Which files of a shared directory are wanted: patterns as in .dockerignore, with the reference's exact matching. */
export interface FileFilter {
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  /** Paths whose symbolic links are followed, so that their targets are sent too (fsutil FollowPaths). */
  readonly followPaths?: readonly string[];
}

/** One entry of a shared directory; `path` is relative with forward slashes, parents come before children. */
export interface FileEntry {
  readonly path: string;
  /** File type and permission bits, as in `st_mode`. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** Nanoseconds since 1970. */
  readonly mtime: bigint;
  /** Target of a symbolic link, or path of the first name of a hard link. */
  readonly linkname?: string;
  readonly devMajor?: number;
  readonly devMinor?: number;
  readonly xattrs?: ReadonlyMap<string, Uint8Array>;
}

/** Name and secret for one registry host; `identityToken` is an OAuth2 refresh token and replaces both. */
export interface Credentials {
  readonly username?: string;
  readonly password?: string;
  readonly identityToken?: string;
  readonly registryToken?: string;
}

/** Blobs of an OCI layout (image-spec, image-layout.md), by digest. */
export interface LentLayout {
  /** Where it lies, for messages. */
  readonly place: string;
  /** In bytes; undefined when the layout does not have the blob. */
  size(digest: Digest, call: Call): Promise<number | undefined>;
  /** The bytes as they lie there: who reads checks the digest. */
  read(digest: Digest, call: Call): Bytes;
}

/** A place for blobs that both sides use: a local cache, an OCI layout to export to. */
export interface LentStore extends LentLayout {
  /** Takes a blob whole or not at all; its digest is checked where it arrives. One that is there already is left as it is. */
  write(digest: Digest, size: number, data: Bytes, call: Call): Promise<void>;
}

/** What a token server is to be asked, so that credentials stay on the asking side (distribution-spec, token authentication). */
export interface TokenRequest {
  readonly host: string;
  readonly realm: string;
  readonly service: string;
  readonly scopes: readonly string[];
}

export interface FetchedToken {
  readonly token: string;
  /** Seconds from `issuedAt`, or from now; 0 where the server did not say. */
  readonly expiresIn: number;
  readonly issuedAt?: Date;
}

/** An SSH agent (draft-miller-ssh-agent) of the asking side. It lists keys and signs; it lets nobody change its keys. */
export interface LentAgent {
  /** One conversation; whoever asked for it ends it. */
  connect(): Duplex;
}

/**
 * Takes one piece of a file, which is the taker's from then on; the next one waits for it. Where there is `release`, a taker
 * may give the piece back by it, once, when it no longer needs it: its memory is then used for the next ones.
 */
export type TakeChunk = (chunk: Uint8Array, release?: () => void) => void | Promise<void>;

/** Files that one side lends to the other: a list, and the contents of those that are asked for (fsutil). */
export interface SharedFiles extends AsyncDisposable {
  /** All entries in path order, parents before children, in batches. To be read once. */
  readonly entries: AsyncIterable<readonly FileEntry[]>;
  /**
   * Contents of the regular file that is `index`th of all entries, counted from 0: `take` gets them piece by piece. Files
   * may be asked for while the list is still being read, any number at once. Rejects where there is no such file.
   */
  read(index: number, take: TakeChunk, call: Call): Promise<void>;
}

/** Which of a request's exporters delivers, counted from 0, and its type. */
export interface ExportTarget {
  readonly index: number;
  readonly type: string;
  /** What the exporter will answer, where it is known before anything is sent. */
  readonly response?: Attrs;
}

export interface Session {
  /** Says whose directories these are, across builds: what was kept of them is looked up by it. */
  readonly sharedKey?: string;
  /**
   * Equal for sessions of builds that run at the same time and lend the same directories under the same names: what they
   * read of them is one and the same. Only within one process.
   */
  readonly localsId?: string;
  /** Another session of the same caller by its id, which may lend directories too. Absent where there is only this one. */
  peer?(id: string): Session | undefined;
  /** Lists a shared directory (`context`, `dockerfile`, a named context). Whoever asks disposes of what it gets. */
  files(name: string, filter: FileFilter, call: Call): SharedFiles;
  /**
   * The shared directory itself where both sides see the same disk, so that files are read once, in place. Over the wire
   * this is always undefined.
   */
  directory(name: string): string | undefined;
  /** Bytes that this side sends once under an id, such as a context on standard input. Undefined where there are none. */
  upload?(id: string, call: Call): Bytes | undefined;
  /** An OCI layout that is lent under a name. Undefined where none is. */
  layout?(name: string): LentLayout | undefined;
  /** A store of blobs that is lent for reading and writing, such as `local:DIRECTORY`. Undefined where none is. */
  store?(id: string): LentStore | undefined;
  /** Takes an exporter's output (`local`, `tar`, `oci`, `docker`) as a tar stream. */
  receive(target: ExportTarget, tar: Bytes, call: Call): Promise<void>;
  /** Takes the files of a `local` output one by one. Absent where they are wanted as a tar stream. */
  receiveFiles?(target: ExportTarget, files: SharedFiles, call: Call): Promise<void>;
  /**
   * Further exporters, chosen when it is known what was built: `refs` are the builder's names of the results. None, or
   * absent, where the asking side does not choose.
   */
  findExporters?(
    result: FrontendResult,
    refs: readonly string[],
    call: Call,
  ): Promise<readonly ExportRequest[]>;
  /** Told what all exporters answered. */
  finalizeExport?(response: Attrs, call: Call): Promise<void>;
  /** Undefined when there is no such secret. At most 500 KiB. */
  secret(id: string, call: Call): Promise<Uint8Array | undefined>;
  /** Undefined when no agent was offered under that id. */
  ssh(id: string, call: Call): Promise<LentAgent | undefined>;
  /** A bearer token for a registry. Undefined, or absent, where credentials are given instead. */
  token?(request: TokenRequest, call: Call): Promise<FetchedToken | undefined>;
  /** Decides about sources of builds. Absent where it is not asked. */
  readonly checkSource?: CheckSource;
  /** Undefined when the host is to be asked anonymously. */
  credentials(host: string, call: Call): Promise<Credentials | undefined>;
}
