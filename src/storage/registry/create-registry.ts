// The registry client: repositories to pull from and push to, over one set of connections and tokens.
import { type Call, Limiter } from "../../base/index.ts";
import { Authenticator } from "./authenticator.ts";
import { Backoff } from "./backoff.ts";
import { Connections } from "./connection.ts";
import { configOf, type Endpoint, mirrorsOf, originOf } from "./endpoint.ts";
import { type ClientParts, EndpointClient, type HostGates } from "./endpoint-client.ts";
import { exchange, type HttpRequest, type HttpResponse } from "./exchange.ts";
import { defaultLimits, requestsPerHost } from "./limits.ts";
import { NetworkFailure, unreachable } from "./network-error.ts";
import { createPullRepository } from "./pull-repository.ts";
import { createPushRepository } from "./push-repository.ts";
import type { Registry, RegistryLimits, RegistryOptions } from "./registry.ts";
import { cancelUpload, openUpload } from "./upload.ts";

/** Makes a client. Nothing is connected before it is used; disposing closes idle connections. */
export function createRegistry(options: RegistryOptions): Registry & Disposable {
  const limits: RegistryLimits = { ...defaultLimits, ...options.limits };
  const connections = new Connections(options.environment ?? process.env);
  const askRealm = (request: HttpRequest, call: Call) =>
    sendToRealm(request, connections, options, limits, call);
  const parts: ClientParts = {
    connections,
    authenticator: new Authenticator(options, askRealm),
    hosts: options.hosts,
    userAgent: options.userAgent,
    limits,
    gates: createGates(limits),
  };
  const client = (endpoint: Endpoint) => new EndpointClient(endpoint, parts);
  return {
    pull(repository) {
      const endpoints = [
        ...mirrorsOf(repository, options.hosts),
        originOf(repository, options.hosts),
      ];
      return createPullRepository(repository, endpoints.map(client));
    },
    push: (repository) =>
      createPushRepository(repository, client(originOf(repository, options.hosts))),
    async checkPush(repository, call) {
      const origin = client(originOf(repository, options.hosts));
      const doing = `checking that ${repository} can be pushed to`;
      await cancelUpload(origin, await openUpload(origin, doing, call), doing, call);
    },
    [Symbol.dispose]: () => connections[Symbol.dispose](),
  };
}

function createGates(limits: RegistryLimits): (address: string) => HostGates {
  const gates = new Map<string, HostGates>();
  return (address) => {
    const known = gates.get(address) ?? {
      requests: new Limiter(requestsPerHost),
      reads: new Limiter(limits.transfersPerHost),
      writes: new Limiter(limits.transfersPerHost),
      scheme: undefined,
    };
    gates.set(address, known);
    return known;
  };
}

/** Token servers get the same patience as registries; they are not followed elsewhere, since they are sent secrets. */
async function sendToRealm(
  request: HttpRequest,
  connections: Connections,
  { hosts, userAgent }: RegistryOptions,
  limits: RegistryLimits,
  call: Call,
): Promise<HttpResponse> {
  const backoff = new Backoff(limits);
  const route = await connections.route(request.url, configOf(request.url.host, hosts));
  for (;;) {
    try {
      const headers = { "user-agent": userAgent, ...request.headers };
      const response = await exchange({ ...request, headers }, route, limits, call);
      if (!(await backoff.afterStatus(response.status, response.headers["retry-after"], call)))
        return response;
      response.discard();
    } catch (error) {
      if (!(error instanceof NetworkFailure)) throw error;
      if (!(await backoff.afterFailure(error, call)))
        throw unreachable(error, request.url.host, "asking for a token");
    }
  }
}
