// The system calls behind the owner recorder that Node does not offer, through koffi, loaded when first needed.
import { endianness } from "node:os";
import { requireKoffi } from "../../../base/index.ts";
import { type CheckedCalls, checkedCalls } from "../network/socket-calls.ts";

/** Every function throws a system error (`code`, `errno`, `syscall`) on failure, as `node:fs` does. */
export interface ListenerCalls {
  /** A stream socket that listens at a path, closed on exec. */
  listen(path: string): number;
  accept(socket: number): number;
  /** The file descriptor that came with the next bytes; undefined where none did. */
  receiveDescriptor(connection: number): number | undefined;
  /** A counter that `poll` sees once something was written to it. */
  eventfd(): number;
  /** Which of them can be read, or have ended; waits for at most `milliseconds`, which is all that this thread does then. */
  ready(fds: readonly number[], milliseconds: number): Readiness;
  /** The same, with another thread waiting. */
  poll(fds: readonly number[], milliseconds: number): Promise<Readiness>;
  /** ioctl(2) with a structure. */
  ioctl(fd: number, request: number, data: Uint8Array): void;
  /** Opens `path` for its place alone (O_PATH), in `directory`; `inRoot`: as if that were the root. Follows no link of /proc. */
  openIn(
    directory: number,
    path: Uint8Array,
    options: { readonly inRoot: boolean; readonly follow: boolean },
  ): number;
  /** Of the file that is open, whatever was opened. Undefined where there is none. */
  getAttribute(fd: number, name: string): Uint8Array | undefined;
  setAttribute(fd: number, name: string, value: Uint8Array): void;
  removeAttribute(fd: number, name: string): void;
}

/** `readable`: something is there to be read. `over`: nothing will ever come again. */
export type Readiness = ReadonlyMap<number, "readable" | "over">;

type Callable = ((...args: unknown[]) => number) & {
  async(...args: [...unknown[], (error: Error | null, result: number) => void]): void;
};

interface Koffi {
  load(path: null): { func(prototype: string): Callable };
  address(memory: Uint8Array): bigint;
  errno(): number;
}

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
const MSG_CMSG_CLOEXEC = 0x40000000;
const openat2 = 437;
const O_PATH = 0o10000000;
const O_NOFOLLOW: bigint =
  process.arch === "arm64" || process.arch === "arm" ? 0o100000n : 0o400000n;
const RESOLVE_NO_MAGICLINKS = 0x02n;
const RESOLVE_BENEATH = 0x08n;
const RESOLVE_IN_ROOT = 0x10n;
const POLLIN = 1;
const controlAt = 128;
const controlSize = 64;
const little = endianness() === "LE";

let loaded: ListenerCalls | undefined;

/** Throws where koffi is not installed. */
export function listenerCalls(): ListenerCalls {
  loaded ??= bind(requireKoffi() as Koffi);
  return loaded;
}

function bind(koffi: Koffi): ListenerCalls {
  const libc = koffi.load(null);
  const call = checkedCalls(libc, () => koffi.errno());
  return {
    ...bindSockets(koffi, call),
    ...bindPoll(libc.func("int poll(void *fds, unsigned long count, int timeout)")),
    ...bindFiles(call),
  };
}

function bindSockets(
  koffi: Koffi,
  call: CheckedCalls,
): Pick<ListenerCalls, "listen" | "accept" | "receiveDescriptor" | "eventfd" | "ioctl"> {
  const socket = call("socket", "int socket(int domain, int type, int protocol)");
  const name = call("bind", "int bind(int fd, const void *address, unsigned int size)");
  const listen = call("listen", "int listen(int fd, int backlog)");
  const accept = call("accept4", "int accept4(int fd, void *address, void *size, int flags)");
  const receive = call("recvmsg", "long recvmsg(int fd, void *message, int flags)");
  const event = call("eventfd", "int eventfd(unsigned int value, int flags)");
  const ioctl = call("ioctl", "int ioctl(int fd, unsigned long request, void *data)");
  return {
    listen(path) {
      const fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
      const text = new TextEncoder().encode(path);
      const address = new Uint8Array(110);
      new DataView(address.buffer).setUint16(0, AF_UNIX, little);
      address.set(text, 2);
      name(fd, address, 2 + text.length + 1);
      listen(fd, 64);
      return fd;
    },
    accept: (fd) => accept(fd, null, null, SOCK_CLOEXEC),
    receiveDescriptor(connection) {
      // One piece of memory, so that it stays while addresses into it are in use: struct msghdr, struct iovec, control, data.
      const memory = new Uint8Array(new ArrayBuffer(4096));
      const view = new DataView(memory.buffer, controlAt, controlSize);
      const words = new BigUint64Array(memory.buffer, 0, 9);
      const start = koffi.address(memory);
      words.set([start + 56n, 1n, start + BigInt(controlAt), BigInt(controlSize), 0n], 2);
      words.set([start + 256n, BigInt(memory.length - 256)], 7);
      receive(connection, memory, MSG_CMSG_CLOEXEC);
      const [length, level, type] = [
        view.getBigUint64(0, little),
        view.getInt32(8, little),
        view.getInt32(12, little),
      ];
      return length >= 20n && level === 1 && type === 1 ? view.getInt32(16, little) : undefined;
    },
    eventfd: () => event(0, SOCK_CLOEXEC),
    ioctl: (fd, request, data) => void ioctl(fd, request, data),
  };
}

function bindPoll(poll: Callable): Pick<ListenerCalls, "ready" | "poll"> {
  const written = (fds: readonly number[]) => {
    const view = new DataView(new ArrayBuffer(8 * fds.length));
    for (const [index, fd] of fds.entries()) {
      view.setInt32(8 * index, fd, little);
      view.setInt16(8 * index + 4, POLLIN, little);
    }
    return view;
  };
  const answered = (fds: readonly number[], view: DataView): Readiness =>
    new Map(
      fds.flatMap((fd, index) => {
        const events = view.getInt16(8 * index + 6, little);
        if (events === 0) return [];
        return [[fd, (events & POLLIN) === 0 ? "over" : "readable"] as const];
      }),
    );
  return {
    ready(fds, milliseconds) {
      const view = written(fds);
      poll(new Uint8Array(view.buffer), fds.length, milliseconds);
      return answered(fds, view);
    },
    poll(fds, milliseconds) {
      const view = written(fds);
      return new Promise((resolve, reject) => {
        poll.async(new Uint8Array(view.buffer), fds.length, milliseconds, (error) => {
          if (error === null) resolve(answered(fds, view));
          else reject(error);
        });
      });
    },
  };
}

function bindFiles(
  call: CheckedCalls,
): Pick<ListenerCalls, "openIn" | "getAttribute" | "setAttribute" | "removeAttribute"> {
  const open = call(
    "openat2",
    "long syscall(long nr, int directory, const void *path, const void *how, size_t size)",
  );
  const get = call(
    "getxattr",
    "long getxattr(const char *path, const char *name, void *value, size_t size)",
  );
  const set = call(
    "setxattr",
    "int setxattr(const char *path, const char *name, const void *value, size_t size, int flags)",
  );
  const remove = call("removexattr", "int removexattr(const char *path, const char *name)");
  const value = new Uint8Array(256);
  return {
    openIn(directory, path, { inRoot, follow }) {
      const flags = BigInt(O_PATH | SOCK_CLOEXEC) | (follow ? 0n : O_NOFOLLOW);
      const scope = inRoot ? RESOLVE_IN_ROOT : RESOLVE_BENEATH;
      const how = new BigUint64Array([flags, 0n, RESOLVE_NO_MAGICLINKS | scope]);
      return open(openat2, directory, path, how, 24);
    },
    getAttribute(fd, name) {
      try {
        return value.slice(0, get(placeOf(fd), name, value, value.length));
      } catch {
        return undefined;
      }
    },
    setAttribute: (fd, name, bytes) => void set(placeOf(fd), name, bytes, bytes.length, 0),
    removeAttribute: (fd, name) => void remove(placeOf(fd), name),
  };
}

function placeOf(fd: number): string {
  return `/proc/self/fd/${fd}`;
}
