// What a tar archive says about one file, and where a reader delivers it.

export type TarType =
  | "file"
  | "directory"
  | "symlink"
  | "hardlink"
  | "char-device"
  | "block-device"
  | "fifo";

/**
 * One entry of a tar archive. Names are as the archive has them (not cleaned, not trusted) without trailing slashes;
 * bytes that are not UTF-8 are kept as lone surrogates U+DC80..U+DCFF (see `decodeName`).
 */
export interface TarHeader {
  readonly path: string;
  readonly type: TarType;
  /** Permission bits with set-id and sticky: at most 0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Length of the file's contents once sparse holes are filled; 0 for what is not a file. */
  readonly size: number;
  /** Nanoseconds since 1970, may be negative. */
  readonly mtime: bigint;
  /** Target of a symbolic link, or path in the archive of a hard link's first name. */
  readonly linkname?: string;
  readonly uname?: string;
  readonly gname?: string;
  readonly devMajor?: number;
  readonly devMinor?: number;
  /** Extended attributes, binary. */
  readonly xattrs?: ReadonlyMap<string, Uint8Array>;
}

/** Takes what a reader finds, in archive order, synchronously. A throw ends the reading. */
export interface TarSink {
  entry(header: TarHeader): void;
  /** A piece of the entry's contents at `position`; skipped positions are holes. Valid until the call returns. */
  data(chunk: Uint8Array, position: number): void;
  /** The entry is complete. */
  end(): void;
}

/** Bounds on what an archive from outside may make of itself. */
export interface TarLimits {
  /** Entries, extension records included. */
  readonly entries: number;
  /** Bytes of all files together, holes counted. */
  readonly bytes: number;
}
