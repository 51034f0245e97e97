// The registry client: repositories to pull from and push to, over one set of connections and tokens.
import { type Call, Limiter } from "../../base/index.ts";
import {
  Backoff,
  Connections,
  type HttpRequest,
  type HttpResponse,
  NetworkFailure,
} from "../http/index.ts";
import { Authenticator } from "./authenticator.ts";
import { createHostTable, type Endpoint, type HostTable, mirrorsOf, originOf } from "./endpoint.ts";
import { type ClientParts, EndpointClient, type HostGates } from "./endpoint-client.ts";
import { defaultLimits, mirrorLimits, requestsPerHost } from "./limits.ts";
import { createListing } from "./listing.ts";
import { tryLogin } from "./login.ts";
import { createPullRepository } from "./pull-repository.ts";
import { createPushRepository } from "./push-repository.ts";
import type {
  RegistryClient,
  RegistryHostConfig,
  RegistryLimits,
  RegistryOptions,
} from "./registry.ts";
import { fetchToken, type SendToRealm } from "./token.ts";
import { unreachable } from "./unreachable.ts";
import { cancelUpload, openUpload } from "./upload.ts";

/** Makes a client. Nothing is connected before it is used; disposing closes idle connections. */
export function createRegistry(options: RegistryOptions): RegistryClient {
  const hosts = createHostTable(options);
  const limits: RegistryLimits = { ...defaultLimits, ...options.limits };
  const connections = new Connections(options.environment ?? process.env);
  const askRealm: SendToRealm = (request, registry, call) =>
    sendToRealm(request, realmConfig(request.url, registry, hosts), call, {
      connections,
      limits,
      userAgent: options.userAgent,
    });
  const parts: ClientParts = {
    connections,
    authenticator: new Authenticator(options, askRealm),
    hosts,
    userAgent: options.userAgent,
    limits,
    gates: createGates(limits),
  };
  const client = (endpoint: Endpoint) => new EndpointClient(endpoint, parts);
  const hasty: ClientParts = { ...parts, limits: hastier(limits) };
  return {
    pull(repository) {
      const mirrors = mirrorsOf(repository, hosts).map((one) => new EndpointClient(one, hasty));
      const origin = client(originOf(repository, hosts));
      const elsewhere = new EndpointClient(originOf(repository, hosts), hasty);
      return createPullRepository({ repository, mirrors, origin, elsewhere });
    },
    push: (repository) => createPushRepository(repository, client(originOf(repository, hosts))),
    async checkPush(repository, call) {
      const origin = client(originOf(repository, hosts));
      const doing = `checking that ${repository} can be pushed to`;
      await cancelUpload(origin, await openUpload(origin, doing, call), doing, call);
    },
    listing: (repository) => createListing(client(originOf(repository, hosts))),
    login: (host, credentials, call) => tryLogin(host, credentials, parts, askRealm, call),
    async token({ host, realm, service, scopes }, credentials, call) {
      const registry = new URL(`${hosts(host).http ? "http" : "https"}://${host}`);
      const challenge = { scheme: "bearer", parameters: { realm, service } };
      const wanted = { challenge, scopes, credentials, registry, now: Date.now };
      const { value, goodUntil } = await fetchToken(wanted, askRealm, call);
      return { token: value, goodUntil };
    },
    [Symbol.dispose]: () => connections[Symbol.dispose](),
  };
}

function hastier(limits: RegistryLimits): RegistryLimits {
  return {
    ...limits,
    retryBudget: Math.min(limits.retryBudget, mirrorLimits.retryBudget),
    connectTimeout: Math.min(limits.connectTimeout, mirrorLimits.connectTimeout),
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
      restsUntil: 0,
    };
    gates.set(address, known);
    return known;
  };
}

/** A token server on the registry's own host is reached as the registry is, authorities and all. */
function realmConfig(realm: URL, registry: URL, hosts: HostTable): RegistryHostConfig {
  return hosts(realm.hostname === registry.hostname ? registry.host : realm.host);
}

/** Token servers get the same patience as registries; they are not followed elsewhere, since they are sent secrets. */
async function sendToRealm(
  request: HttpRequest,
  config: RegistryHostConfig,
  call: Call,
  { connections, limits, userAgent }: Pick<ClientParts, "connections" | "limits" | "userAgent">,
): Promise<HttpResponse> {
  const backoff = new Backoff(limits);
  const headers = { "user-agent": userAgent, ...request.headers };
  for (;;) {
    try {
      const response = await connections.send({ ...request, headers }, config, limits, call);
      const { "retry-after": retryAfter } = response.headers;
      if (!(await backoff.afterStatus(response.status, retryAfter, call))) return response;
      response.discard();
    } catch (error) {
      if (!(error instanceof NetworkFailure)) throw error;
      if (await backoff.afterFailure(error, call)) continue;
      throw unreachable(error, request.url.host, "asking for a token");
    }
  }
}
