// Requests to one server of a repository: scheme, credentials, redirects, retries. Says nothing about what is asked.
import { type Call, type KilnError, type Limiter, log } from "../../base/index.ts";
import {
  Backoff,
  type Connections,
  type HttpRequest,
  type HttpResponse,
  isLoopback,
  isSchemeMismatch,
  maxRedirects,
  NetworkFailure,
  type RequestBody,
  redirectTarget,
  SourceFailure,
} from "../http/index.ts";
import type { Authenticator, AuthTarget } from "./authenticator.ts";
import type { Endpoint, HostTable } from "./endpoint.ts";
import type { RegistryLimits } from "./registry.ts";
import { type FailedRequest, registryError, shownUrl } from "./response-error.ts";
import { unreachable } from "./unreachable.ts";

const debug = log("registry");

type Scheme = "http:" | "https:";

/** What all clients of one registry object share. */
export interface ClientParts {
  readonly connections: Connections;
  readonly authenticator: Authenticator;
  readonly hosts: HostTable;
  readonly userAgent: string;
  readonly limits: RegistryLimits;
  /** By address. */
  readonly gates: (address: string) => HostGates;
}

/** How many may use one host at once. Reading and writing wait apart, so that copying within a host cannot lock itself. */
export interface HostGates {
  readonly requests: Limiter;
  readonly reads: Limiter;
  readonly writes: Limiter;
  /** Found out once for each loopback host. */
  scheme: Scheme | undefined;
  /** Until when (`performance.now()`) a mirror that could not be reached is left alone. */
  restsUntil: number;
}

export interface ClientRequest {
  readonly method: HttpRequest["method"];
  /** Below the repository: `manifests/latest`; or a whole URL that the server gave us. */
  readonly to: string | URL;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: RequestBody;
  readonly scopes: readonly string[];
  /** For messages: "reading the manifest of example.com/app:1". */
  readonly doing: string;
  /** False for requests that only make sense as part of a longer exchange, which is started anew as a whole. */
  readonly retry?: boolean;
}

export class EndpointClient {
  readonly endpoint: Endpoint;
  readonly #parts: ClientParts;

  constructor(endpoint: Endpoint, parts: ClientParts) {
    this.endpoint = endpoint;
    this.#parts = parts;
  }

  get gates(): HostGates {
    return this.#parts.gates(this.endpoint.address);
  }

  get limits(): RegistryLimits {
    return this.#parts.limits;
  }

  /** `repository:PATH:ACTIONS` of this repository. */
  scope(actions: "pull" | "pull,push" | "delete"): string {
    return `repository:${this.endpoint.repository}:${actions}`;
  }

  /**
   * Sends a request until there is an answer that is not "not now". Any status may come back. Throws
   * `REGISTRY_UNREACHABLE`, or what the body's source threw; with `retry: false` also `NetworkFailure`.
   */
  async send(request: ClientRequest, call: Call): Promise<HttpResponse> {
    const backoff = new Backoff(this.#parts.limits);
    for (;;) {
      const outcome = await this.#attempt(request, call);
      if (outcome instanceof NetworkFailure) {
        debug.debug(`${request.method} ${this.endpoint.name}: ${request.doing}`, {
          failed: outcome.code,
        });
        if (request.retry === false) throw outcome;
        if (await backoff.afterFailure(outcome, call)) continue;
        throw unreachable(outcome, this.endpoint.name, request.doing);
      }
      if (request.retry === false) return outcome;
      if (!(await backoff.afterStatus(outcome.status, outcome.headers["retry-after"], call)))
        return outcome;
      outcome.discard();
    }
  }

  /** One attempt, whatever comes of it. Throws as `send` does. */
  async sendOnce(request: ClientRequest, call: Call): Promise<HttpResponse> {
    const outcome = await this.#attempt(request, call);
    if (outcome instanceof NetworkFailure)
      throw unreachable(outcome, this.endpoint.name, request.doing);
    return outcome;
  }

  /** The error for an answer that is not what was hoped for. */
  failure(
    response: HttpResponse,
    request: Pick<FailedRequest, "method" | "doing">,
    call: Call,
  ): Promise<KilnError> {
    return registryError(response, { ...request, host: this.endpoint.name }, call);
  }

  async #attempt(request: ClientRequest, call: Call): Promise<HttpResponse | NetworkFailure> {
    try {
      const base = await this.#base(call);
      return await this.#authorized(request, this.#url(request, base), base, call);
    } catch (error) {
      if (error instanceof NetworkFailure) return error;
      throw error instanceof SourceFailure ? error.cause : error;
    }
  }

  async #authorized(
    request: ClientRequest,
    url: URL,
    base: URL,
    call: Call,
  ): Promise<HttpResponse> {
    const { authenticator } = this.#parts;
    const target: AuthTarget = { registry: base, host: this.endpoint.name, scopes: request.scopes };
    // Other hosts that the server sends us to have been told by it whom to let in.
    const own = url.host === base.host;
    let header = own ? await authenticator.authorization(target, call) : undefined;
    for (let refusals = 0; ; refusals++) {
      const response = await this.#follow(request, url, header, call);
      debug.debug(`${request.method} ${shownUrl(url)}`, { status: response.status });
      if (response.status !== 401 || response.url.host !== base.host || refusals === 2)
        return response;
      const next = await authenticator.answer(
        target,
        response.headers["www-authenticate"],
        header,
        call,
      );
      if (next === undefined) return response;
      response.discard();
      header = next;
    }
  }

  /** Sends, and follows where it is sent to. Credentials stay with the host that they are for. */
  async #follow(
    request: ClientRequest,
    first: URL,
    authorization: string | undefined,
    call: Call,
  ): Promise<HttpResponse> {
    const { userAgent } = this.#parts;
    let url = first;
    for (let hops = 0; ; hops++) {
      const own = url.host === first.host && url.protocol === first.protocol;
      const headers = {
        "user-agent": userAgent,
        accept: "*/*",
        ...request.headers,
        ...(own && authorization !== undefined ? { authorization } : {}),
      };
      const response = await this.#exchange(
        { method: request.method, url, headers, ...(request.body ? { body: request.body } : {}) },
        call,
      );
      const next = redirectTarget(response, request.method, url);
      if (!next || hops === maxRedirects) return response;
      response.discard();
      url = next;
    }
  }

  async #exchange(request: HttpRequest, call: Call): Promise<HttpResponse> {
    const { connections, hosts, limits } = this.#parts;
    const config =
      request.url.host === this.endpoint.address ? this.endpoint.config : hosts(request.url.host);
    // A body waits for its own gate, and its transfer must not hold up small requests.
    if (request.body) return connections.send(request, config, limits, call);
    using _permit = await this.gates.requests.acquire(call);
    return await connections.send(request, config, limits, call);
  }

  #url({ to, query, method }: ClientRequest, base: URL): URL {
    if (to instanceof URL) return to;
    const { repository } = this.endpoint;
    const url = new URL(repository === "" ? to : `${repository}/${to}`, base);
    for (const [name, value] of Object.entries(query ?? {})) url.searchParams.set(name, value);
    const { namespace } = this.endpoint;
    if (namespace !== undefined && (method === "GET" || method === "HEAD"))
      url.searchParams.set("ns", namespace);
    return url;
  }

  /**
   * `https://host/v2/`. For hosts on loopback, and those that may be insecure, whichever of http and https answers,
   * unless it is configured: plain http first on loopback, where certificates are rare, and last elsewhere.
   */
  async #base(call: Call): Promise<URL> {
    const { address, config } = this.endpoint;
    const at = (scheme: Scheme) => new URL(`${scheme}//${address}/v2/`);
    if (config.http !== undefined) return at(config.http ? "http:" : "https:");
    const local = isLoopback(address);
    if (!local && config.insecure !== true) return at("https:");
    const { gates } = this;
    const order = local ? (["http:", "https:"] as const) : (["https:", "http:"] as const);
    gates.scheme ??= await this.#probe(order, at, call);
    return at(gates.scheme ?? order[0]);
  }

  /** Undefined when neither answers. */
  async #probe(
    order: readonly Scheme[],
    at: (scheme: Scheme) => URL,
    call: Call,
  ): Promise<Scheme | undefined> {
    for (const scheme of order) {
      try {
        const headers = { "user-agent": this.#parts.userAgent };
        const response = await this.#exchange({ method: "GET", url: at(scheme), headers }, call);
        const body = new TextDecoder().decode(await response.readUpTo(512, call));
        // What Go's and other servers say to plain http on a port for TLS.
        if (response.status !== 400 || !/https/i.test(body)) return scheme;
      } catch (error) {
        const last = scheme === order.at(-1);
        if (!(error instanceof NetworkFailure) || !(last || isSchemeMismatch(error))) throw error;
      }
    }
    return undefined;
  }
}
