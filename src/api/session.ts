// What the asking side lends while its build runs: files, secrets, credentials. In-process a plain object; over gRPC, callbacks.
import type { Duplex } from "node:stream";
import type { Bytes, Call, Digest } from "../base/index.ts";

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

/** An SSH agent (draft-miller-ssh-agent) of the asking side. It lists keys and signs; it lets nobody change its keys. */
export interface LentAgent {
  /** One conversation; whoever asked for it ends it. */
  connect(): Duplex;
}

export interface Session {
  /** Lists a shared directory (`context`, `dockerfile`, a named context) in path order. */
  files(name: string, filter: FileFilter, call: Call): AsyncIterable<FileEntry>;
  /** Contents of one regular file of a shared directory. */
  readFile(name: string, path: string, call: Call): Bytes;
  /**
   * The shared directory itself where both sides see the same disk, so that files are read once, in place. Over the wire
   * this is always undefined.
   */
  directory(name: string): string | undefined;
  /** Bytes that this side sends once under an id, such as a context on standard input. Undefined where there are none. */
  upload?(id: string, call: Call): Bytes | undefined;
  /** An OCI layout that is lent under a name. Undefined where none is. */
  layout?(name: string): LentLayout | undefined;
  /** Takes an exporter's output (`local`, `tar`, `oci`, `docker`) as a tar stream. */
  receive(name: string, tar: Bytes, call: Call): Promise<void>;
  /** Undefined when there is no such secret. At most 500 KiB. */
  secret(id: string, call: Call): Promise<Uint8Array | undefined>;
  /** Undefined when no agent was offered under that id. */
  ssh(id: string, call: Call): Promise<LentAgent | undefined>;
  /** Undefined when the host is to be asked anonymously. */
  credentials(host: string, call: Call): Promise<Credentials | undefined>;
}
