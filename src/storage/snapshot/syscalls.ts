// The system calls that Node does not offer, through koffi, loaded when first needed.

/** Every function throws an `ErrnoException`-like error (code, syscall, path) on failure. */
export interface Syscalls {
  /** Makes a device node or FIFO; `mode` includes the type bits. */
  mknod(path: string, mode: number, major: number, minor: number): void;
  lsetxattr(path: string, name: string, value: Uint8Array): void;
  /** Undefined where the attribute or the file system's support is absent. */
  lgetxattr(path: string, name: string): Uint8Array | undefined;
  lremovexattr(path: string, name: string): void;
  llistxattr(path: string): readonly string[];
  /** Sets both times, in nanoseconds, without following a symbolic link. */
  utimensat(path: string, atime: bigint, mtime: bigint): void;
  unshare(flags: number): void;
  mount(source: string, target: string, type: string, flags: number, data: string): void;
  umount2(target: string, flags: number): void;
}

/** Loads koffi (10 ms, once). Throws `SNAPSHOT_FAILED` with a hint where it is not installed. */
export function loadSyscalls(): Syscalls {
  throw new Error("not yet");
}
