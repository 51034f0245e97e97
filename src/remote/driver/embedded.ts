// Driver `embedded`: the engine in the asking process. Written down as a remote builder, so that buildx can read it.
import { connect } from "node:net";
import { basename, dirname, isAbsolute, join } from "node:path";
import type { Duplex } from "node:stream";
import type { Call } from "../../base/index.ts";
import type { NodeRecord } from "../store/index.ts";
import type { DriverKind, DriverWorld } from "./driver.ts";
import { boolOption, checkKeys, invalidNode } from "./options.ts";
import { connectRemote } from "./remote-address.ts";

/** The name under which the engine in this process is always there. */
export const embeddedName = "embedded";

/**
 * The socket's name in a state directory. A node with this endpoint is the engine of that directory: in this process, or
 * in a daemon that listens there, which buildx then sees as a running remote builder.
 */
const socketName = "kiln-embedded.sock";

/** What is written down for an embedded node that keeps its state in `root`. */
export function embeddedEndpoint(root: string): string {
  return `unix://${join(root, socketName)}`;
}

/** The state directory behind an endpoint of `embeddedEndpoint`; undefined for others. */
export function embeddedRoot(endpoint: string): string | undefined {
  const path = endpoint.startsWith("unix://") ? endpoint.slice("unix://".length) : "";
  return isAbsolute(path) && basename(path) === socketName ? dirname(path) : undefined;
}

/** The node of the builder that needs no set-up. */
export function embeddedNode({ root }: Pick<DriverWorld, "root">): NodeRecord {
  return {
    name: embeddedName,
    endpoint: embeddedEndpoint(root),
    platforms: [],
    driverOpts: {},
    flags: [],
    files: {},
  };
}

export const embeddedKind: DriverKind = {
  name: "embedded",
  creatable: true,
  configurable: false,
  open(node, world) {
    const root = embeddedRoot(node.endpoint);
    if (root === undefined)
      throw invalidNode(`${node.endpoint} is no endpoint of the embedded driver`);
    if (node.flags.length > 0 || Object.keys(node.files).length > 0)
      throw invalidNode(
        "the embedded driver has no daemon to configure",
        "Write settings to kiln.toml.",
      );
    checkKeys(node.driverOpts, ["default-load"], [], "embedded");
    return {
      name: "embedded",
      node,
      defaultLoad: boolOption(node.driverOpts, "default-load", false),
      inProcess: { root },
      status: async () => "running",
      boot: async () => undefined,
      connect: (call: Call): Promise<Duplex> =>
        connectRemote(node.endpoint, undefined, world, call),
      stop: async () => undefined,
      remove: async () => undefined,
    };
  },
};

/** True when a daemon listens at the node's socket: then it has the state directory, and is asked instead. */
export function listens(endpoint: string, call: Call): Promise<boolean> {
  return new Promise((resolve, reject) => {
    if (call.signal.aborted) return reject(call.signal.reason);
    const socket = connect({ path: endpoint.slice("unix://".length) });
    const settle = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("connect", () => settle(true));
    socket.once("error", () => settle(false));
  });
}
