// The system calls for sockets and network namespaces that Node does not offer, through koffi, loaded when first needed.
import { getSystemErrorMap } from "node:util";
import { requireKoffi } from "../../../base/index.ts";

/** Every function throws a system error (`code`, `syscall`) on failure, as `node:fs` does. */
export interface SocketCalls {
  /** A datagram socket of the kernel's netlink family, closed on exec. Close it with `closeSync`. */
  netlink(protocol: number): number;
  send(socket: number, data: Uint8Array): void;
  /** Waits for a datagram, at most a second. The answer is good until the next call. */
  receive(socket: number): Uint8Array;
  /** Puts the calling thread into the namespace behind a file descriptor. */
  setns(fd: number, kind: number): void;
  /** The number of a network interface in the calling thread's namespace; 0 when there is none. */
  interfaceIndex(name: string): number;
}

/** What is used of koffi here. */
export interface Koffi {
  load(path: null): { func(prototype: string): (...args: unknown[]) => number };
  errno(): number;
}

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;

let loaded: SocketCalls | undefined;

/** Throws where koffi is not installed. Main thread only, as namespaces belong to threads. */
export function socketCalls(): SocketCalls {
  loaded ??= bind(requireKoffi() as Koffi);
  return loaded;
}

function bind(koffi: Koffi): SocketCalls {
  const libc = koffi.load(null);
  const call = checkedCalls(libc, () => koffi.errno());
  const socket = call("socket", "int socket(int domain, int type, int protocol)");
  const option = call(
    "setsockopt",
    "int setsockopt(int fd, int level, int name, const void *value, unsigned int size)",
  );
  const send = call("send", "long send(int fd, const void *data, size_t size, int flags)");
  const receive = call("recv", "long recv(int fd, void *data, size_t size, int flags)");
  const setns = call("setns", "int setns(int fd, int kind)");
  const index = libc.func("unsigned int if_nametoindex(const char *name)");
  const buffer = new Uint8Array(32 * 1024);
  return {
    netlink(protocol) {
      const fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
      option(fd, SOL_SOCKET, SO_RCVTIMEO, new BigInt64Array([1n, 0n]), 16);
      return fd;
    },
    send: (fd, data) => void send(fd, data, data.length, 0),
    receive: (fd) => buffer.subarray(0, receive(fd, buffer, buffer.length, 0)),
    setns: (fd, kind) => void setns(fd, kind),
    interfaceIndex: (name) => index(name),
  };
}

/** A function of libc by its name and prototype; what it answers below zero is thrown as a system error. */
export type CheckedCalls = (name: string, prototype: string) => (...args: unknown[]) => number;

export function checkedCalls(
  libc: { func(prototype: string): (...args: unknown[]) => number },
  errno: () => number,
): CheckedCalls {
  return (name, prototype) => {
    const callable = libc.func(prototype);
    return (...args) => {
      const result = callable(...args);
      if (result < 0) throw systemError(errno(), name);
      return result;
    };
  };
}

/** An error as Node's own, by the positive number of the kernel's. */
export function systemError(errno: number, syscall: string): Error {
  const [code, text] = getSystemErrorMap().get(-errno) ?? [`errno ${errno}`, "failed"];
  return Object.assign(new Error(`${code}: ${text}, ${syscall}`), { errno: -errno, code, syscall });
}
