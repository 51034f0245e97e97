// The proxy of one step: plain requests, and tunnels whose TLS ends here.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import { abortReason } from "../../base/index.ts";
import { Connections } from "../../storage/http/index.ts";
import type { Egress } from "../executor/index.ts";
import type { ProxyAuthority } from "./authority.ts";
import { type ForwardParts, forward, maxHeaderSize, refuse } from "./forward.ts";
import { type Authority, parseAuthority, urlOf } from "./target.ts";
import { openUpstream } from "./upstream.ts";

/** Connections that a step may have at once. */
const maxConnections = 256;
/** Milliseconds for a request's headers, and for the beginning of a tunnel. */
const headersTimeout = 30_000;
/** Milliseconds in which nothing passes. */
const idleTimeout = 600_000;
/** The first byte of TLS (RFC 8446, 5.1: handshake). */
const tlsHandshake = 22;

interface Tunnel {
  readonly scheme: "http" | "https";
  readonly authority: Authority;
}

export interface ServerParts extends Omit<ForwardParts, "connections"> {
  readonly authority: ProxyAuthority;
}

/** A descriptor of a socket that listens already, or where to. */
export type ListensAt = { readonly fd: number } | { readonly host: string; readonly port: number };

export interface StepServer extends AsyncDisposable {
  readonly server: Server;
}

/** Serves a socket that listens, which becomes its own. Disposing cuts what is open and waits for it. */
export function serveStep(at: ListensAt, egress: Egress, parts: ServerParts): StepServer {
  const connections = new Connections(undefined, { open: openUpstream(egress), system: true });
  const tunnels = new WeakMap<Duplex, Tunnel>();
  const over = new AbortController();
  const open = new Set<Duplex>();
  const running = new Set<Promise<void>>();
  const server = createServer(
    { maxHeaderSize, headersTimeout, requestTimeout: 0, insecureHTTPParser: false },
    (request, response) => {
      const work = answer(request, response);
      running.add(work);
      work.finally(() => running.delete(work)).catch(() => {});
    },
  );
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const tunnel = tunnels.get(request.socket);
    const url = urlOf(request.url ?? "", request.headers.host, tunnel);
    // A name in front, and another behind it: the policy has judged the first.
    if (url && tunnel && request.headers.host?.toLowerCase() !== url.host && !isSame(request, url))
      return refuse(response, 421, "Misdirected Request: the tunnel is for another host");
    if (!url) return refuse(response, 400, "Bad Request");
    await forward(request, response, url, { ...parts, connections }, { signal: over.signal });
  };
  server.maxConnections = maxConnections;
  server.timeout = idleTimeout;
  server.on("connection", (socket) => {
    open.add(socket);
    socket.once("close", () => open.delete(socket));
  });
  server.on("connect", (request, socket, head) => {
    // Nobody else listens any more.
    socket.on("error", () => socket.destroy());
    const authority = parseAuthority(request.url ?? "");
    if (!authority || tunnels.has(socket))
      return void socket.end("HTTP/1.1 400 Bad Request\r\n\r\n", () => socket.destroy());
    socket.write("HTTP/1.1 200 Connection Established\r\n\r\n");
    if (head.length > 0) socket.unshift(head);
    beginTunnel(server, socket, authority, tunnels, parts.authority);
  });
  // What is no HTTP is answered by Node; what breaks off needs no answer.
  server.on("error", () => {});
  server.listen(at);
  return {
    server,
    async [Symbol.asyncDispose]() {
      over.abort(abortReason("the step has ended"));
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of open) socket.destroy();
      connections[Symbol.dispose]();
      await Promise.allSettled(running);
      await closed;
    },
  };
}

/** The default port may be written or not. */
function isSame({ headers: { host = "" } }: IncomingMessage, url: URL): boolean {
  const text = `${url.protocol}//${host}`;
  return URL.canParse(text) && new URL(text).host === url.host;
}

/** Goes by the first byte: tunnels of some clients are for plain HTTP. */
function beginTunnel(
  server: Server,
  socket: Duplex,
  authority: Authority,
  tunnels: WeakMap<Duplex, Tunnel>,
  signer: ProxyAuthority,
): void {
  const timer = setTimeout(() => socket.destroy(), headersTimeout);
  socket.once("close", () => clearTimeout(timer));
  const begin = () => {
    const chunk: Uint8Array | null = socket.read();
    if (chunk === null) {
      if (!socket.readableEnded && !socket.destroyed) socket.once("readable", begin);
      return;
    }
    socket.unshift(chunk);
    if (chunk[0] !== tlsHandshake) {
      clearTimeout(timer);
      tunnels.set(socket, { scheme: "http", authority });
      server.emit("connection", socket);
      return;
    }
    try {
      const host = authority.host.replace(/^\[|\]$/g, "");
      const secureContext = signer.contextFor(host);
      const secure = new TLSSocket(socket as TLSSocket, {
        isServer: true,
        secureContext,
        ALPNProtocols: ["http/1.1"],
      });
      secure.on("error", () => socket.destroy());
      secure.once("secure", () => clearTimeout(timer));
      secure.once("close", () => socket.destroy());
      tunnels.set(secure, { scheme: "https", authority });
      server.emit("connection", secure);
    } catch {
      socket.destroy();
    }
  };
  socket.once("readable", begin);
}
