// Connections that are kept and reused: one agent for each scheme, proxy and TLS setting.
import type { Agent } from "node:http";
import type { Socket } from "node:net";
import type { Call } from "../../base/index.ts";
import {
  type ExchangeTimeouts,
  exchange,
  type HttpRequest,
  type HttpResponse,
  type Route,
} from "./exchange.ts";
import { isUnknownAuthority, NetworkFailure } from "./network-error.ts";
import { type Environment, proxyFor } from "./proxy.ts";
import { isSocks, openSocksTunnel } from "./socks.ts";
import type { HostSettings, Trust } from "./tls.ts";

/** Opens what connections of a kind begin with; the socket becomes the caller's. */
export type OpenSocket = (host: string, port: number) => Promise<Socket>;

export interface ConnectionOptions {
  /** Where no proxy is between; Node's own way where absent. */
  readonly open?: OpenSocket;
  /** Trust the system's authorities from the beginning, for those who cannot ask again. */
  readonly system?: boolean;
}

/** Owns idle connections. They do not keep the process alive; disposing closes them at once. */
export class Connections implements Disposable {
  readonly #agents = new Map<string, Agent>();
  readonly #ids = new WeakMap<HostSettings, number>();
  readonly #environment: Environment;
  #lastId = 0;
  /** Reading the system's authorities costs as much as a whole short build: done when Node's own do not suffice. */
  #system: boolean;
  readonly #open: OpenSocket | undefined;

  /** Proxies and certificate files are named by `environment`. */
  constructor(environment: Environment = process.env, options: ConnectionOptions = {}) {
    this.#environment = environment;
    this.#system = options.system ?? false;
    this.#open = options.open;
  }

  /**
   * Sends one request, as `exchange` does. `config` is that of the URL's own host. Who is not known to Node's authorities
   * is looked up among the system's.
   */
  async send(
    request: HttpRequest,
    config: HostSettings,
    timeouts: ExchangeTimeouts,
    call: Call,
  ): Promise<HttpResponse> {
    const route = await this.route(request.url, config);
    try {
      return await exchange(request, route, timeouts, call);
    } catch (error) {
      if (!(error instanceof NetworkFailure) || !isUnknownAuthority(error) || this.#system)
        throw error;
      this.#system = true;
      return exchange(request, await this.route(request.url, config), timeouts, call);
    }
  }

  /** How to reach `url`, for those who send the request themselves. */
  async route(url: URL, config: HostSettings): Promise<Route> {
    const proxy = proxyFor(url, this.#environment);
    const secure = url.protocol === "https:";
    const direct = { host: url.hostname.replace(/^\[|\]$/g, ""), path: url.pathname + url.search };
    if (proxy && !secure && !isSocks(proxy)) {
      const agent = await this.#agent("http:", {}, "itself");
      return {
        protocol: proxy.protocol === "https:" ? "https:" : "http:",
        host: proxy.hostname.replace(/^\[|\]$/g, ""),
        port: proxy.port || defaultPort(proxy),
        path: `${url.origin}${url.pathname}${url.search}`,
        headers: { host: url.host, ...proxyAuthorization(proxy) },
        agent: proxy.protocol === "https:" ? await this.#agent("https:", {}, "itself") : agent,
      };
    }
    const agent = await this.#agent(secure ? "https:" : "http:", config, proxy);
    return {
      protocol: secure ? "https:" : "http:",
      ...direct,
      port: url.port || defaultPort(url),
      headers: {},
      agent,
    };
  }

  [Symbol.dispose](): void {
    for (const agent of this.#agents.values()) agent.destroy();
    this.#agents.clear();
  }

  /** `proxy`: which one is between; `itself` for what speaks to one. */
  async #agent(
    scheme: "http:" | "https:",
    config: HostSettings,
    proxy: URL | "itself" | undefined,
  ): Promise<Agent> {
    const way = proxy?.toString() ?? "";
    const key = scheme === "http:" ? `${scheme} ${way}` : `${scheme} ${this.#id(config)} ${way}`;
    const known = this.#agents.get(key);
    if (known) return known;
    const agent =
      scheme === "http:"
        ? await plainAgent(this.#opener(proxy))
        : await secureAgent(config, await this.#tunnel(proxy), this.#trust());
    const other = this.#agents.get(key);
    this.#agents.set(key, other ?? agent);
    return other ?? agent;
  }

  #trust(): Trust {
    return { environment: this.#environment, system: this.#system };
  }

  #opener(proxy: URL | "itself" | undefined): OpenSocket | undefined {
    if (proxy === "itself") return undefined;
    if (!proxy) return this.#open;
    return (host, port) => openSocksTunnel(proxy, host, port);
  }

  async #tunnel(proxy: URL | "itself" | undefined): Promise<OpenSocket | undefined> {
    if (proxy === "itself") return undefined;
    if (!proxy) return this.#open;
    const tunnel = await tunnelOpener(proxy, this.#trust());
    return (host, port) => tunnel(`${bracketed(host)}:${port}`);
  }

  #id(config: HostSettings): number {
    const id = this.#ids.get(config) ?? ++this.#lastId;
    this.#ids.set(config, id);
    return id;
  }
}

const agentOptions = {
  keepAlive: true,
  keepAliveMsecs: 30_000,
  // Idle connections are closed: a daemon has clients of its own for every build. Requests have patience of their own.
  timeout: 30_000,
  scheduling: "lifo",
  noDelay: true,
} as const;

async function plainAgent(open: OpenSocket | undefined): Promise<Agent> {
  const http = await import("node:http");
  const agent = new http.Agent(agentOptions);
  if (!open) return agent;
  const connect: Connect = (options, done) => {
    const { host, port } = options as { host: string; port: number | string };
    open(host, Number(port)).then(
      (socket) => done(null, socket),
      (error: Error) => done(error),
    );
  };
  return Object.assign(agent, { createConnection: connect });
}

/** How an agent makes connections. It takes a callback, though its types know only a returned socket. */
type Connect = (options: object, done: (error: Error | null, socket?: Socket) => void) => void;

async function secureAgent(
  config: HostSettings,
  open: OpenSocket | undefined,
  trust: Trust,
): Promise<Agent> {
  const [https, { secureContextFor }] = await Promise.all([
    import("node:https"),
    import("./tls.ts"),
  ]);
  const secureContext = secureContextFor(config, trust);
  const agent = new https.Agent({
    ...agentOptions,
    secureContext,
    rejectUnauthorized: config.insecure !== true,
  });
  if (open) {
    const tls = await import("node:tls");
    // The agent takes a callback, though its types know only a returned socket.
    const connect: Connect = (options, done) => {
      const target = options as { host: string; port: number | string; servername?: string };
      open(target.host, Number(target.port)).then(
        (socket) => done(null, tls.connect({ ...options, socket, host: target.host })),
        (error: Error) => done(error),
      );
    };
    Object.assign(agent, { createConnection: connect });
  }
  return agent;
}

/** Opens tunnels through a proxy with CONNECT (RFC 9110, 9.3.6). */
async function tunnelOpener(
  proxy: URL,
  trust: Trust,
): Promise<(target: string) => Promise<Socket>> {
  if (isSocks(proxy)) {
    return (target) => {
      const { hostname, port } = new URL(`https://${target}`);
      return openSocksTunnel(proxy, hostname.replace(/^\[|\]$/g, ""), Number(port || 443));
    };
  }
  const { request } =
    proxy.protocol === "https:" ? await import("node:https") : await import("node:http");
  const secure =
    proxy.protocol === "https:"
      ? { secureContext: (await import("./tls.ts")).secureContextFor({}, trust) }
      : {};
  return (target) =>
    new Promise((resolve, reject) => {
      const attempt = request({
        method: "CONNECT",
        host: proxy.hostname.replace(/^\[|\]$/g, ""),
        port: proxy.port || defaultPort(proxy),
        path: target,
        headers: { host: target, ...proxyAuthorization(proxy) },
        timeout: tunnelTimeout,
        agent: false,
        ...secure,
      });
      const fail = (why: string) => new NetworkFailure("EPROXY", `the proxy ${proxy.host} ${why}`);
      attempt.once("connect", (response, socket) => {
        if (response.statusCode === 200) return resolve(socket);
        socket.destroy();
        reject(fail(`refused to connect to ${target}: status ${response.statusCode}`));
      });
      attempt.once("response", (response) => {
        response.destroy();
        reject(fail(`refused to connect to ${target}: status ${response.statusCode}`));
      });
      attempt.once("timeout", () => attempt.destroy(fail("did not answer in time")));
      attempt.once("error", reject);
      attempt.end();
    });
}

const tunnelTimeout = 30_000;

function proxyAuthorization(proxy: URL): Readonly<Record<string, string>> {
  if (proxy.username === "" && proxy.password === "") return {};
  const pair = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  return { "proxy-authorization": `Basic ${btoa(pair)}` };
}

function defaultPort(url: URL): string {
  return url.protocol === "https:" ? "443" : "80";
}

function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}
