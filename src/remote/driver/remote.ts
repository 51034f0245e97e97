// Driver `remote`: a BuildKit daemon that somebody else runs.
import { isAbsolute } from "node:path";
import type { NodeRecord } from "../store/index.ts";
import type { DriverKind } from "./driver.ts";
import { boolOption, checkKeys, invalidNode } from "./options.ts";
import { checkRemoteAddress, connectRemote, type RemoteTls } from "./remote-address.ts";

export const remoteKind: DriverKind = {
  name: "remote",
  creatable: true,
  configurable: false,
  open(node, world) {
    if (Object.keys(node.files).length > 0)
      throw invalidNode("setting config file is not supported for remote driver");
    if (node.flags.length > 0)
      throw invalidNode("setting buildkit flags is not supported for remote driver");
    checkRemoteAddress(node.endpoint);
    checkKeys(
      node.driverOpts,
      ["servername", "cacert", "cert", "key", "default-load"],
      [],
      "remote",
    );
    const defaultLoad = boolOption(node.driverOpts, "default-load", false);
    const tls = tlsOf(node);
    const connect = (call: Parameters<typeof connectRemote>[3]) =>
      connectRemote(node.endpoint, tls, world, call);
    return {
      name: "remote",
      node,
      defaultLoad,
      async status(call) {
        try {
          (await connect(call)).destroy();
          return "running";
        } catch (error) {
          if (call.signal.aborted) throw error;
          return "inactive";
        }
      },
      async boot(_say, call) {
        (await connect(call)).destroy();
      },
      connect,
      // The daemon belongs to whoever started it.
      stop: async () => undefined,
      remove: async () => undefined,
    };
  },
};

function tlsOf({ driverOpts, endpoint }: NodeRecord): RemoteTls | undefined {
  const { servername, cacert, cert, key } = driverOpts;
  for (const [name, file] of Object.entries({ cacert, cert, key })) {
    if (file !== undefined && !isAbsolute(file))
      throw invalidNode(
        `non-absolute path '${file}' provided for ${name}`,
        "Write the whole path.",
      );
  }
  if (servername === undefined && cacert === undefined && cert === undefined && key === undefined)
    return undefined;
  const missing = [
    ...(cacert === undefined ? ["cacert"] : []),
    ...(cert === undefined && key !== undefined ? ["cert"] : []),
    ...(key === undefined && cert !== undefined ? ["key"] : []),
  ];
  if (missing.length > 0) throw invalidNode(`tls enabled, but missing keys ${missing.join(", ")}`);
  if (!endpoint.startsWith("tcp://")) return undefined;
  return {
    ...(servername === undefined ? {} : { serverName: servername }),
    ...(cacert === undefined ? {} : { ca: cacert }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
}
