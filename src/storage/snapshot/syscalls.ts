// The system calls that Node does not offer, through koffi, loaded when first needed.
import { getSystemErrorMap } from "node:util";
import { decodeName, encodeName, KilnError, requireKoffi } from "../../base/index.ts";

/** Every function throws a system error (`code`, `syscall`, `path`) on failure, as `node:fs` does. None follows a link in last place. */
export interface Syscalls {
  /** Makes a device node or FIFO; `mode` includes the type bits. */
  mknod(path: string, mode: number, major: number, minor: number): void;
  lsetxattr(path: string, name: string, value: Uint8Array): void;
  /** Undefined where the attribute or the file system's support is absent. */
  lgetxattr(path: string, name: string): Uint8Array | undefined;
  lremovexattr(path: string, name: string): void;
  /** Empty where the file system has none. */
  llistxattr(path: string): readonly string[];
  /** Where the next data or hole of an open file begins, from `offset` on; undefined behind the last data. */
  seek(fd: number, offset: number, what: "data" | "hole"): number | undefined;
  /** Fills `answer` (256 bytes) with a `struct statx`; false where that fails, whyever. */
  statx(path: string, answer: Uint8Array): boolean;
  /** Sets both times, in nanoseconds. */
  utimensat(path: string, atime: bigint, mtime: bigint): void;
  unshare(flags: number): void;
  /** flock(2) without waiting; false when somebody else holds it. The lock goes with the file descriptor. */
  tryFlock(fd: number, kind: "shared" | "exclusive"): boolean;
  mount(source: string, target: string, type: string, flags: number, data: string): void;
  umount2(target: string, flags: number): void;
  /** New mount API (Linux 5.2): the file system's configuration as a file descriptor. */
  fsopen(type: string): number;
  fsconfigString(fd: number, key: string, value: string): void;
  fsconfigFlag(fd: number, key: string): void;
  fsconfigCreate(fd: number): void;
  /** A mount attached nowhere, as a file descriptor; it goes away when the last descriptor and attachment does. */
  fsmount(fd: number, attributes: number): number;
  /** A detached clone of the mount at `path`, as a file descriptor. */
  openTree(path: string): number;
  /** Adds `attributes` (MOUNT_ATTR_*) to a detached mount. */
  setMountAttributes(fd: number, attributes: number): void;
  /** Attaches a detached mount. */
  moveMount(fd: number, target: string): void;
}

const nr = {
  openTree: 428,
  moveMount: 429,
  fsopen: 430,
  fsconfig: 431,
  fsmount: 432,
  mountSetattr: 442,
};
const currentDirectory = -100;
const noFollow = 0x100;
const emptyPath = 0x1000;
/** Of statx(2): all that stat(2) says. */
const basicStats = 0x7ff;
const closeOnExec = 0x80000;
/** Of flock(2). */
const dontWait = 4;

type Callable = (...args: unknown[]) => number;

interface Library {
  func(prototype: string): Callable;
}

interface Koffi {
  load(path: null): Library;
  errno(): number;
}

let loaded: Syscalls | undefined;

/** Loads koffi, once. Throws `SNAPSHOT_FAILED` with a hint where it is not installed. */
export function loadSyscalls(): Syscalls {
  loaded ??= bind(koffiOrError());
  return loaded;
}

function koffiOrError(): Koffi {
  try {
    return requireKoffi() as Koffi;
  } catch (cause) {
    throw new KilnError(
      "SNAPSHOT_FAILED",
      "the package koffi, through which Kiln makes system calls, cannot be loaded",
      {
        cause,
        hint: "Install it beside Kiln: npm install koffi.",
      },
    );
  }
}

function bind(koffi: Koffi): Syscalls {
  const libc = koffi.load(null);
  const call = (name: string, prototype: string) => {
    const callable = libc.func(prototype);
    return (path: string | undefined, ...args: unknown[]): number => {
      const result = callable(...args);
      if (result < 0) throw systemError(koffi.errno(), name, path);
      return result;
    };
  };
  return { ...bindFiles(call), ...bindMounts(call) };
}

type Bind = (
  name: string,
  prototype: string,
) => (path: string | undefined, ...args: unknown[]) => number;

function bindFiles(call: Bind): Pick<Syscalls, FileCalls> {
  const mknod = call(
    "mknod",
    "int mknod(const char *path, unsigned int mode, unsigned long device)",
  );
  const set = call(
    "lsetxattr",
    "int lsetxattr(const char *path, const char *name, const void *value, size_t size, int flags)",
  );
  const get = call(
    "lgetxattr",
    "long lgetxattr(const char *path, const char *name, void *value, size_t size)",
  );
  const remove = call("lremovexattr", "int lremovexattr(const char *path, const char *name)");
  const list = call("llistxattr", "long llistxattr(const char *path, void *list, size_t size)");
  const seek = call("lseek", "long lseek(int fd, long offset, int whence)");
  const statx = bindStatx(call);
  const utimens = call(
    "utimensat",
    "int utimensat(int directory, const char *path, const void *times, int flags)",
  );
  const buffer = new Uint8Array(64 * 1024);
  const times = new BigInt64Array(4);
  return {
    mknod: (path, mode, major, minor) =>
      void mknod(path, cstring(path), mode, deviceNumber(major, minor)),
    lsetxattr: (path, name, value) =>
      void set(path, cstring(path), cstring(name), value, value.length, 0),
    lremovexattr: (path, name) => void remove(path, cstring(path), cstring(name)),
    lgetxattr(path, name) {
      const size = unlessAbsent(() =>
        get(path, cstring(path), cstring(name), buffer, buffer.length),
      );
      return size === undefined ? undefined : buffer.slice(0, size);
    },
    llistxattr(path) {
      // Nearly no file has any. Room for them is memory that the kernel clears for each call.
      if ((unlessAbsent(() => list(path, cstring(path), null, 0)) ?? 0) === 0) return [];
      const size = unlessAbsent(() => list(path, cstring(path), buffer, buffer.length)) ?? 0;
      if (size === 0) return [];
      return decodeName(buffer.subarray(0, size - 1)).split("\0");
    },
    seek(fd, offset, what) {
      try {
        return seek(undefined, fd, offset, what === "data" ? 3 : 4);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENXIO") return undefined;
        throw error;
      }
    },
    statx(path, answer) {
      try {
        statx(path, currentDirectory, cstring(path), noFollow, basicStats, answer);
        return true;
      } catch {
        return false;
      }
    },
    utimensat(path, atime, mtime) {
      setTime(times, 0, atime);
      setTime(times, 2, mtime);
      utimens(path, currentDirectory, cstring(path), times, noFollow);
    },
  };
}

/** C libraries of before 2024 may be without it (musl). */
function bindStatx(call: Bind): ReturnType<Bind> {
  const prototype =
    "int statx(int directory, const char *path, int flags, unsigned int mask, void *answer)";
  try {
    return call("statx", prototype);
  } catch {
    return () => {
      throw systemError(38, "statx", undefined);
    };
  }
}

type FileCalls =
  | "seek"
  | "statx"
  | "mknod"
  | "lsetxattr"
  | "lgetxattr"
  | "lremovexattr"
  | "llistxattr"
  | "utimensat";

function bindMounts(call: Bind): Omit<Syscalls, FileCalls> {
  // The C library may be older than the kernel: the new mount calls go by number, the same on every architecture.
  const unshare = call("unshare", "int unshare(int flags)");
  const flock = call("flock", "int flock(int fd, int operation)");
  const mount = call(
    "mount",
    "int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)",
  );
  const umount = call("umount2", "int umount2(const char *target, int flags)");
  const fsopen = call("fsopen", "long syscall(long nr, const char *type, unsigned int flags)");
  const fsconfig = call(
    "fsconfig",
    "long syscall(long nr, int fd, unsigned int command, const char *key, const char *value, int aux)",
  );
  const fsmount = call(
    "fsmount",
    "long syscall(long nr, int fd, unsigned int flags, unsigned int attributes)",
  );
  const openTree = call(
    "open_tree",
    "long syscall(long nr, int directory, const char *path, unsigned int flags)",
  );
  const setattr = call(
    "mount_setattr",
    "long syscall(long nr, int fd, const char *path, unsigned int flags, const void *attributes, size_t size)",
  );
  const moveMount = call(
    "move_mount",
    "long syscall(long nr, int from, const char *fromPath, int to, const char *toPath, unsigned int flags)",
  );
  return {
    unshare: (flags) => void unshare(undefined, flags),
    tryFlock(fd, kind) {
      try {
        flock(undefined, fd, (kind === "shared" ? 1 : 2) | dontWait);
        return true;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "EAGAIN") return false;
        throw error;
      }
    },
    mount: (source, target, type, flags, data) =>
      void mount(target, cstring(source), cstring(target), type, flags, data),
    umount2: (target, flags) => void umount(target, cstring(target), flags),
    fsopen: (type) => fsopen(type, nr.fsopen, type, 1),
    fsconfigString: (fd, key, value) =>
      void fsconfig(value, nr.fsconfig, fd, 1, key, cstring(value), 0),
    fsconfigFlag: (fd, key) => void fsconfig(key, nr.fsconfig, fd, 0, key, null, 0),
    fsconfigCreate: (fd) => void fsconfig(undefined, nr.fsconfig, fd, 6, null, null, 0),
    fsmount: (fd, attributes) => fsmount(undefined, nr.fsmount, fd, 1, attributes),
    openTree: (path) =>
      openTree(path, nr.openTree, currentDirectory, cstring(path), 1 | closeOnExec),
    setMountAttributes(fd, attributes) {
      // struct mount_attr { set, clear, propagation, userns }
      setattr(
        undefined,
        nr.mountSetattr,
        fd,
        "",
        emptyPath,
        new BigUint64Array([BigInt(attributes), 0n, 0n, 0n]),
        32,
      );
    },
    moveMount: (fd, target) =>
      void moveMount(target, nr.moveMount, fd, "", currentDirectory, cstring(target), 4),
  };
}

/** Strings pass as UTF-8; names with other bytes have to be handed over as bytes. */
function cstring(text: string): string | Uint8Array {
  if (text.includes("\0")) throw systemError(22, "string with NUL", text);
  if (!/\p{Surrogate}/u.test(text)) return text;
  const bytes = encodeName(text);
  const out = new Uint8Array(bytes.length + 1);
  out.set(bytes);
  return out;
}

function deviceNumber(major: number, minor: number): bigint {
  const [high, low] = [BigInt(major), BigInt(minor)];
  return (
    ((high & ~0xfffn) << 32n) | ((high & 0xfffn) << 8n) | ((low & ~0xffn) << 12n) | (low & 0xffn)
  );
}

function setTime(times: BigInt64Array, at: number, nanoseconds: bigint): void {
  const rest = ((nanoseconds % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  times[at] = (nanoseconds - rest) / 1_000_000_000n;
  times[at + 1] = rest;
}

const absent: ReadonlySet<string> = new Set(["ENODATA", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"]);

function unlessAbsent(read: () => number): number | undefined {
  try {
    return read();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== undefined && absent.has(code)) return undefined;
    throw error;
  }
}

function systemError(errno: number, syscall: string, path: string | undefined): Error {
  // libuv has no name for every error of the kernel's.
  const [code, text] = getSystemErrorMap().get(-errno) ?? [
    errno === 61 ? "ENODATA" : `errno ${errno}`,
    "failed",
  ];
  const where = path === undefined ? "" : ` '${path}'`;
  return Object.assign(new Error(`${code}: ${text}, ${syscall}${where}`), {
    errno: -errno,
    code,
    syscall,
    ...(path === undefined ? {} : { path }),
  });
}
