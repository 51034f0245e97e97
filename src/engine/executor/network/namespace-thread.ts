// A thread that makes sockets in other network namespaces: once it has left its own, a user's process may not come back.
import { Worker } from "node:worker_threads";
import { koffiPath } from "../../../base/index.ts";
import { systemError } from "./socket-calls.ts";

/** Where the only way out of a lonely network is, and the port at which it listens. */
export const lonelyAddress = "10.213.0.1";
export const lonelyPort = 3128;

/**
 * What the thread runs. A socket stays in the namespace that it was made in, and its descriptor is the whole process's. A
 * lonely namespace has loopback, with a second address: some programs take one that has no other for a machine without a
 * network. ioctl(2) numbers: SIOCGIFFLAGS and its kin, see netdevice(7).
 */
const source = `
const { parentPort, workerData } = require("node:worker_threads");
const { closeSync, openSync, writeFileSync } = require("node:fs");
const koffi = require(workerData.koffi);
const libc = koffi.load(null);
const named = (name, prototype) => {
  const call = libc.func(prototype);
  return (...args) => {
    const result = call(...args);
    if (result < 0) throw Object.assign(new Error(name), { errno: koffi.errno(), syscall: name });
    return result;
  };
};
const unshare = named("unshare", "int unshare(int kind)");
const setns = named("setns", "int setns(int fd, int kind)");
const mount = named("mount", "int mount(const char *a, const char *b, const char *c, unsigned long d, const char *e)");
const socket = named("socket", "int socket(int domain, int type, int protocol)");
const bind = named("bind", "int bind(int fd, const void *address, unsigned int size)");
const listen = named("listen", "int listen(int fd, int backlog)");
const ioctl = named("ioctl", "int ioctl(int fd, unsigned long request, void *data)");
const NEWNET = 0x40000000, BIND = 4096, INET = 2, INET6 = 10, STREAM = 1, CLOEXEC = 0o2000000;
const SIFFLAGS = 0x8914, SIFADDR = 0x8916, SIFNETMASK = 0x891c, UP = 1;
const inet = (address, port) => Uint8Array.of(2, 0, port >> 8, port & 255, ...address.split(".").map(Number), 0, 0, 0, 0, 0, 0, 0, 0);
const request = (name, data) => {
  const bytes = new Uint8Array(40);
  bytes.set(new TextEncoder().encode(name));
  bytes.set(data, 16);
  return bytes;
};
const set = (path, value) => {
  try { writeFileSync("/proc/sys/net/" + path, value); } catch {}
};
const works = {
  lonely({ path, address, port }) {
    unshare(NEWNET);
    mount("/proc/thread-self/ns/net", path, "", BIND, "");
    set("ipv4/ip_unprivileged_port_start", "0");
    set("ipv4/ping_group_range", "0 2147483647");
    const fd = socket(INET, STREAM | CLOEXEC, 0);
    try {
      ioctl(fd, SIFFLAGS, request("lo", Uint8Array.of(UP, 0)));
      ioctl(fd, SIFADDR, request("lo:0", inet(address, 0)));
      ioctl(fd, SIFNETMASK, request("lo:0", inet("255.255.255.255", 0)));
      bind(fd, inet(address, port), 16);
      listen(fd, 511);
      return fd;
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  },
  socket({ path, family }) {
    const namespace = openSync(path, "r");
    try {
      setns(namespace, NEWNET);
    } finally {
      closeSync(namespace);
    }
    return socket(family === 6 ? INET6 : INET, STREAM | CLOEXEC, 0);
  },
};
parentPort.on("message", ({ id, work, options }) => {
  try {
    parentPort.postMessage({ id, fd: works[work](options) });
  } catch ({ message, errno, syscall }) {
    parentPort.postMessage({ id, message, errno, syscall });
  }
});
`;

interface Answer {
  readonly id: number;
  readonly fd?: number;
  readonly message: string;
  readonly errno?: number;
  readonly syscall?: string;
}

/** Started at the first use; does not keep the process alive by itself. */
export class NamespaceThread implements AsyncDisposable {
  #worker: Worker | undefined;
  #count = 0;
  readonly #waiting = new Map<number, (answer: Answer | Error) => void>();

  /**
   * Makes a network namespace that leads nowhere, mounts it upon the file `path`, and gives a socket that listens in it at
   * `lonelyAddress`: a descriptor, which becomes the caller's. Throws what the kernel refuses.
   */
  lonely(path: string): Promise<number> {
    return this.#do("lonely", { path, address: lonelyAddress, port: lonelyPort });
  }

  /** A stream socket in the namespace that is mounted at `path`, not connected; its descriptor becomes the caller's. */
  socket(path: string, family: 4 | 6): Promise<number> {
    return this.#do("socket", { path, family });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker?.terminate();
  }

  async #do(work: string, options: object): Promise<number> {
    const id = ++this.#count;
    const answered = new Promise<Answer | Error>((resolve) => this.#waiting.set(id, resolve));
    const worker = this.#start();
    worker.ref();
    worker.postMessage({ id, work, options });
    const answer = await answered;
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) worker.unref();
    if (answer instanceof Error) throw answer;
    if (answer.fd !== undefined) return answer.fd;
    throw answer.errno !== undefined && answer.syscall !== undefined
      ? systemError(Math.abs(answer.errno), answer.syscall)
      : new Error(answer.message);
  }

  #start(): Worker {
    if (this.#worker) return this.#worker;
    const worker = new Worker(source, {
      eval: true,
      workerData: { koffi: koffiPath() },
      // Nothing of the process's own start is wanted in it.
      execArgv: [],
    });
    worker.on("message", (answer: Answer) => this.#waiting.get(answer.id)?.(answer));
    const fail = (error: Error) => {
      for (const answer of this.#waiting.values()) answer(error);
    };
    worker.on("error", fail);
    worker.on("exit", () => fail(new Error("the thread for network namespaces has ended")));
    this.#worker = worker;
    return worker;
  }
}
