// A thread that makes sockets in other network namespaces than the process's: once it has left its own, it may not come back.
import { closeSync, openSync, writeFileSync } from "node:fs";
import { parentPort } from "node:worker_threads";
import { requireKoffi } from "../../../base/index.ts";
import { checkedCalls, type Koffi } from "./socket-calls.ts";

/** A new namespace that leads nowhere, mounted upon the file `path`; the socket listens in it. */
export interface LonelyWork {
  readonly work: "lonely";
  readonly path: string;
  /** IPv4. */
  readonly address: string;
  readonly port: number;
}

/** A socket in the namespace that is mounted at `path`, not connected. */
export interface SocketWork {
  readonly work: "socket";
  readonly path: string;
  readonly family: 4 | 6;
}

/** What the thread is sent. */
export type NamespaceRequest = { readonly id: number } & (LonelyWork | SocketWork);

/** What it answers: the descriptor of a socket, which is the whole process's, or what the kernel refused. */
export type NamespaceAnswer = { readonly id: number } & (
  | { readonly fd: number }
  | { readonly message: string; readonly code?: string; readonly syscall?: string }
);

const CLONE_NEWNET = 0x40000000;
const MS_BIND = 0x1000;
const [AF_INET, AF_INET6] = [2, 10];
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
// netdevice(7)
const [SIOCSIFFLAGS, SIOCSIFADDR, SIOCSIFNETMASK] = [0x8914, 0x8916, 0x891c];
const IFF_UP = 1;
/** Connections that wait to be taken: Node's own number. */
const backlog = 511;

const koffi = requireKoffi() as Koffi;
const call = checkedCalls(koffi.load(null), () => koffi.errno());
const unshare = call("unshare", "int unshare(int kind)");
const setns = call("setns", "int setns(int fd, int kind)");
const mount = call(
  "mount",
  "int mount(const char *a, const char *b, const char *c, unsigned long d, const char *e)",
);
const socket = call("socket", "int socket(int domain, int type, int protocol)");
const bind = call("bind", "int bind(int fd, const void *address, unsigned int size)");
const listen = call("listen", "int listen(int fd, int backlog)");
const ioctl = call("ioctl", "int ioctl(int fd, unsigned long request, void *data)");

parentPort?.on("message", (request: NamespaceRequest) => {
  const { id } = request;
  let answer: NamespaceAnswer;
  try {
    answer = { id, fd: request.work === "lonely" ? lonely(request) : socketIn(request) };
  } catch (error) {
    const { message, code, syscall } = error as NodeJS.ErrnoException;
    answer = { id, message, ...(code && syscall ? { code, syscall } : {}) };
  }
  parentPort?.postMessage(answer);
});

/**
 * Loopback has a second address: some programs take a machine that has no other for one without a network.
 */
function lonely({ path, address, port }: LonelyWork): number {
  unshare(CLONE_NEWNET);
  mount("/proc/thread-self/ns/net", path, "", MS_BIND, "");
  // As in every network of a step; a namespace where they cannot be set does without.
  allow("ipv4/ip_unprivileged_port_start", "0");
  allow("ipv4/ping_group_range", "0 2147483647");
  const fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  try {
    ioctl(fd, SIOCSIFFLAGS, interfaceRequest("lo", Uint8Array.of(IFF_UP, 0)));
    ioctl(fd, SIOCSIFADDR, interfaceRequest("lo:0", socketAddress(address, 0)));
    ioctl(fd, SIOCSIFNETMASK, interfaceRequest("lo:0", socketAddress("255.255.255.255", 0)));
    const own = socketAddress(address, port);
    bind(fd, own, own.length);
    listen(fd, backlog);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** A socket stays in the namespace that it was made in. */
function socketIn({ path, family }: SocketWork): number {
  const namespace = openSync(path, "r");
  try {
    setns(namespace, CLONE_NEWNET);
  } finally {
    closeSync(namespace);
  }
  return socket(family === 6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

function allow(path: string, value: string): void {
  try {
    writeFileSync(`/proc/sys/net/${path}`, value);
  } catch {}
}

/** struct sockaddr_in. */
function socketAddress(address: string, port: number): Uint8Array {
  const bytes = new Uint8Array(16);
  bytes.set([AF_INET, 0, port >> 8, port & 255, ...address.split(".").map(Number)]);
  return bytes;
}

/** struct ifreq. */
function interfaceRequest(name: string, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(40);
  bytes.set(new TextEncoder().encode(name));
  bytes.set(data, 16);
  return bytes;
}
