// The frontends of one builder, by name.
import type { ServeBridge } from "../../api/index.ts";
import { createDockerfileFrontend } from "./dockerfile/frontend.ts";
import type { Frontend } from "./frontend.ts";
import { createGatewayFrontend } from "./gateway/frontend.ts";

export interface FrontendsOptions {
  /** Those that may be asked for; all where absent. */
  readonly frontends?: readonly Frontend["name"][];
  /** Speaks with frontends in containers; without it none is run. */
  readonly serveBridge?: ServeBridge;
  /** Repositories whose frontends may run in containers (`docker.io/docker/dockerfile`); all where absent. */
  readonly gatewaySources?: readonly string[];
}

export function createFrontends(options: FrontendsOptions): ReadonlyMap<string, Frontend> {
  const { frontends: wanted = ["dockerfile.v0", "gateway.v0"], gatewaySources } = options;
  const all = [
    createDockerfileFrontend(),
    createGatewayFrontend({
      serve: options.serveBridge,
      builtIn: wanted.includes("dockerfile.v0"),
      ...(gatewaySources ? { allowedRepositories: gatewaySources } : {}),
    }),
  ];
  return new Map(all.filter(({ name }) => wanted.includes(name)).map((one) => [one.name, one]));
}
