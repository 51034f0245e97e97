// Networks of steps whose requests go through a proxy: they lead nowhere, but the proxy listens in them.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AsyncStack, KilnError } from "../../../base/index.ts";
import { loadSyscalls } from "../../../storage/snapshot/index.ts";
import type { Egress, ProcessSpec, StepProxy } from "../executor.ts";
import { resolveGateway } from "./hosts.ts";
import { lonelyAddress, lonelyPort, NamespaceSockets } from "./namespace-sockets.ts";
import type { Network, StepSurroundings } from "./networks.ts";

const MNT_DETACH = 2;

/** What is reached around the proxy, as the reference has it. */
const direct = "127.0.0.1,localhost,::1";

/** Both ways in which programs look for proxies, and the one in which Node.js (24) is told to. */
export const proxyEnvironment: readonly string[] = Object.entries({
  HTTP_PROXY: `http://${lonelyAddress}:${lonelyPort}`,
  HTTPS_PROXY: `http://${lonelyAddress}:${lonelyPort}`,
  NO_PROXY: direct,
})
  .flatMap(([name, value]) => [`${name}=${value}`, `${name.toLowerCase()}=${value}`])
  .concat("NODE_USE_ENV_PROXY=1");

/** Lends networks; those that are lent must be given back before it is disposed. */
export class ProxiedNetworks implements AsyncDisposable {
  readonly #directory: string;
  readonly #sockets = new NamespaceSockets();
  #count = 0;

  /** `directory`: in this process's private mount namespace. */
  constructor(directory: string) {
    this.#directory = join(directory, "proxied");
  }

  /**
   * A network with `proxy` in it, which has the way out that the step would have had: `outward`, which becomes the
   * network's. Throws `NETWORK_FAILED` where the machine makes no network namespaces.
   */
  async lend(
    proxy: StepProxy,
    process: Pick<ProcessSpec, "network" | "extraHosts">,
    outward: StepSurroundings & Disposable,
  ): Promise<Network> {
    await using opening = new AsyncStack();
    opening.use(outward);
    const path = join(this.#directory, `${++this.#count}`);
    const listener = await this.#lonely(path, opening);
    opening.use(proxy.serve(listener, this.#egress(process, outward)));
    const owned = opening.move();
    const { gateway } = outward;
    return {
      setting: { type: "join", path },
      resolver: "",
      gateway,
      [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sockets[Symbol.asyncDispose]();
  }

  async #lonely(path: string, opening: AsyncStack): Promise<number> {
    mkdirSync(this.#directory, { recursive: true });
    writeFileSync(path, "");
    opening.defer(() => rmSync(path, { force: true }));
    try {
      const listener = await this.#sockets.lonely(path);
      opening.defer(() => loadSyscalls().umount2(path, MNT_DETACH));
      return listener;
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new KilnError("NETWORK_FAILED", `a step cannot be kept behind a proxy here: ${why}`, {
        cause,
        hint: "Leave --proxy-network away, or run Kiln where network namespaces are allowed.",
      });
    }
  }

  #egress(
    { network, extraHosts = [] }: Pick<ProcessSpec, "network" | "extraHosts">,
    { setting, gateway }: StepSurroundings,
  ): Egress {
    const about = { machine: network === "host", hosts: resolveGateway(extraHosts, gateway) };
    return {
      ...about,
      socket: async (family) => {
        const { Socket } = await import("node:net");
        if (setting.type !== "join") return new Socket();
        const fd = await this.#sockets.socket(setting.path, family);
        // It can be read when it is connected, not before.
        return new Socket({ fd, readable: true, writable: true, ...{ manualStart: true } });
      },
    };
  }
}
