// The serving side of connections: hands calls to the methods of services and tells how they ended.

import { setMaxListeners } from "node:events";
import {
  type IncomingHttpHeaders,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { Duplex } from "node:stream";
import { abortable, type Call, delay } from "../../base/index.ts";
import { keepAlive, sessionSettings, widenWindow } from "./connection.ts";
import { serveCall } from "./server-call.ts";
import { StatusError, statusCodes } from "./status.ts";
import type { BoundMethod, GrpcServer, ServerOptions, Service } from "./types.ts";
import { openWire } from "./wire.ts";

const defaultMaxCalls = 1000;
/** Milliseconds in which a connection must have said what HTTP/2 begins with: grpc-go's patience. */
const handshakePatience = 120_000;

/** A server of `services` without any connection yet. */
export function createGrpcServer(
  services: readonly Service[],
  options: ServerOptions = {},
): GrpcServer {
  const methods = new Map(
    services.flatMap((service) => service.methods.map((method) => [method.path, method] as const)),
  );
  const sessions = new Map<ServerHttp2Session, Duplex>();
  const running = new Set<Promise<void>>();
  const stopping = new AbortController();
  setMaxListeners(0, stopping.signal);
  let closing = false;
  const accept = (socket: Duplex): Promise<void> => {
    if (closing) {
      socket.destroy();
      return Promise.resolve();
    }
    const ended = serveConnection(socket, {
      methods,
      options,
      sessions,
      stopping: stopping.signal,
    });
    running.add(ended);
    return ended.finally(() => running.delete(ended));
  };
  const cut = async () => {
    closing = true;
    // Callers are told why, as far as they listen.
    stopping.abort(new StatusError(statusCodes.UNAVAILABLE, "the server is stopping"));
    const told = Promise.all(running).then(() => {});
    for (const session of sessions.keys()) session.close();
    const patience = new AbortController();
    await Promise.race([told, delay(lastWords, patience).catch(() => {})]);
    patience.abort();
    for (const session of sessions.keys()) session.destroy();
    // A session waits for its last write, which a peer that does not read never takes.
    const deaf = setTimeout(() => {
      for (const socket of sessions.values()) socket.destroy();
    }, lastWords);
    await Promise.all(running);
    clearTimeout(deaf);
  };
  return {
    services,
    accept,
    async shutdown(call: Call) {
      closing = true;
      for (const session of sessions.keys()) session.close();
      try {
        await abortable(Promise.all(running), call);
      } catch (error) {
        await cut();
        throw error;
      }
    },
    [Symbol.asyncDispose]: cut,
  };
}

/** Milliseconds in which callers hear that the server is cut off. */
const lastWords = 500;

interface Connection {
  /** Aborted when calls must end. */
  readonly stopping: AbortSignal;
  readonly methods: ReadonlyMap<string, BoundMethod>;
  readonly options: ServerOptions;
  /** With what each was opened on. */
  readonly sessions: Map<ServerHttp2Session, Duplex>;
}

/** What a client's side of a connection begins with (RFC 9113, 3.4). */
const preface = new TextEncoder().encode("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** Looks at the first bytes, which others read too. */
function expectPreface(socket: Duplex, otherwise: () => void): void {
  let at = 0;
  const look = (chunk: Uint8Array): void => {
    const wrong = chunk
      .subarray(0, preface.length - at)
      .some((byte, i) => byte !== preface[at + i]);
    at += chunk.length;
    if (wrong || at >= preface.length) socket.off("data", look);
    if (wrong) otherwise();
  };
  socket.on("data", look);
}

/** Resolves when the connection and all its calls have ended. */
async function serveConnection(
  socket: Duplex,
  { methods, options, sessions, stopping }: Connection,
): Promise<void> {
  // Node's HTTP/2 stops reading where it meets something else, and says nothing.
  expectPreface(socket, () => {
    options.onError?.(new Error("the other side does not speak HTTP/2"));
    session.destroy();
    wire.destroy();
  });
  const wire = openWire(socket);
  const session = performServerHandshake(wire, {
    ...sessionSettings,
    settings: {
      ...sessionSettings.settings,
      maxConcurrentStreams: options.maxConcurrentCalls ?? defaultMaxCalls,
    },
  });
  sessions.set(session, socket);
  widenWindow(session);
  const calls = new Set<Promise<void>>();
  const patience = setTimeout(() => session.destroy(), handshakePatience);
  patience.unref();
  session.once("remoteSettings", () => clearTimeout(patience));
  session.on("error", (error) => options.onError?.(error));
  wire.on("error", (error) => options.onError?.(error));
  const stopPings = keepAlive(session, options.keepAlive);
  session.on(
    "stream",
    (
      stream: ServerHttp2Stream,
      headers: IncomingHttpHeaders,
      _flags: number,
      rawHeaders: string[],
    ) => {
      const ended = serveCall(stream, { headers, rawHeaders, methods, options, stopping });
      calls.add(ended);
      void ended.finally(() => calls.delete(ended));
    },
  );
  await new Promise<void>((resolve) => session.once("close", resolve));
  clearTimeout(patience);
  stopPings();
  sessions.delete(session);
  wire.destroy();
  await Promise.all(calls);
}
