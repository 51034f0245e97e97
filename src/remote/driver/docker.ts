// Driver `docker`: the BuildKit inside a docker engine, reached by turning a request into a gRPC connection.
import { KilnError } from "../../base/index.ts";
import { dockerEngine } from "../docker/index.ts";
import type { DriverKind } from "./driver.ts";
import { checkKeys, invalidNode } from "./options.ts";

export const dockerKind: DriverKind = {
  name: "docker",
  creatable: false,
  configurable: false,
  open(node, world) {
    checkKeys(node.driverOpts, [], [], "docker");
    const endpoint = world.contexts.endpoint(node.endpoint) ?? { host: node.endpoint };
    if (Object.keys(node.files).length > 0)
      throw invalidNode(
        "setting config file is not supported for docker driver, use dockerd configuration file",
      );
    const engine = dockerEngine(endpoint, world.env);
    return {
      name: "docker",
      node,
      defaultLoad: true,
      async status(call) {
        await engine.done({ method: "GET", path: "/_ping" }, call);
        return "running";
      },
      async boot(_say, call) {
        await engine.done({ method: "GET", path: "/_ping" }, call);
      },
      connect: (call) => engine.hijack({ method: "POST", path: "/grpc" }, "h2c", call),
      connectSession: (headers, call) =>
        engine.hijack({ method: "POST", path: "/session", headers: oneEach(headers) }, "h2c", call),
      // Docker's own engine is not ours to stop.
      stop: async () => undefined,
      remove: async () => {
        throw new KilnError("BUILDER_INVALID", "a docker context cannot be removed as a builder", {
          hint: `Remove the context: docker context rm ${node.endpoint}`,
        });
      },
    };
  },
};

/** Several values of one header go as Node sends them: one line each. */
function oneEach(headers: ReadonlyMap<string, readonly string[]>): Record<string, string[]> {
  return Object.fromEntries([...headers].map(([name, values]) => [name, [...values]]));
}
