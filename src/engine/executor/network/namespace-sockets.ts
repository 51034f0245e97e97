// Sockets in network namespaces that this process is not in: a thread makes them.
import type { Worker } from "node:worker_threads";
import { startThread } from "../../../base/index.ts";
import type {
  LonelyWork,
  NamespaceAnswer,
  NamespaceRequest,
  SocketWork,
} from "./namespace-thread.ts";

/** Where the only way out of a lonely network is, and the port at which it listens. */
export const lonelyAddress = "10.213.0.1";
export const lonelyPort = 3128;

/** Its thread is started at the first use, and does not keep the process alive by itself. */
export class NamespaceSockets implements AsyncDisposable {
  #thread: Worker | undefined;
  #count = 0;
  readonly #waiting = new Map<number, (answer: NamespaceAnswer | Error) => void>();

  /**
   * Makes a network namespace that leads nowhere, mounts it upon the file `path`, and gives a socket that listens in it at
   * `lonelyAddress`: a descriptor, which becomes the caller's. Throws what the kernel refuses.
   */
  lonely(path: string): Promise<number> {
    return this.#ask({ work: "lonely", path, address: lonelyAddress, port: lonelyPort });
  }

  /** A stream socket in the namespace that is mounted at `path`, not connected; its descriptor becomes the caller's. */
  socket(path: string, family: 4 | 6): Promise<number> {
    return this.#ask({ work: "socket", path, family });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#thread?.terminate();
  }

  async #ask(work: LonelyWork | SocketWork): Promise<number> {
    const id = ++this.#count;
    const answered = new Promise<NamespaceAnswer | Error>((resolve) =>
      this.#waiting.set(id, resolve),
    );
    const thread = this.#start();
    thread.ref();
    thread.postMessage({ id, ...work } satisfies NamespaceRequest);
    const answer = await answered;
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) thread.unref();
    if (answer instanceof Error) throw answer;
    if ("fd" in answer) return answer.fd;
    const { message, code, syscall } = answer;
    throw Object.assign(new Error(message), { code, syscall });
  }

  #start(): Worker {
    if (this.#thread) return this.#thread;
    const thread = startThread("namespace-thread", import.meta.url);
    thread.on("message", (answer: NamespaceAnswer) => this.#waiting.get(answer.id)?.(answer));
    const fail = (error: Error) => {
      for (const answer of this.#waiting.values()) answer(error);
    };
    thread.on("error", fail);
    thread.on("exit", () => fail(new Error("the thread for network namespaces has ended")));
    this.#thread = thread;
    return thread;
  }
}
