// The serving side of connections: hands calls to the methods of services and tells how they ended.

import { setMaxListeners } from "node:events";
import type { Duplex } from "node:stream";
import { abortable, type Call, delay } from "../../base/index.ts";
import { Http2Connection } from "../http2/index.ts";
import { keepAlive, limitsOf } from "./connection.ts";
import { refuseCall, serveCall } from "./server-call.ts";
import { StatusError, statusCodes } from "./status.ts";
import type { BoundMethod, GrpcServer, ServerOptions, Service } from "./types.ts";

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
  const connections = new Set<Http2Connection>();
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
      connections,
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
    for (const connection of connections) connection.close();
    const patience = new AbortController();
    await Promise.race([told, delay(lastWords, patience).catch(() => {})]);
    patience.abort();
    for (const connection of connections) connection.destroy();
    await Promise.all(running);
  };
  return {
    services,
    accept,
    async shutdown(call: Call) {
      closing = true;
      for (const connection of connections) connection.close();
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

interface Serving {
  /** Aborted when calls must end. */
  readonly stopping: AbortSignal;
  readonly methods: ReadonlyMap<string, BoundMethod>;
  readonly options: ServerOptions;
  readonly connections: Set<Http2Connection>;
}

/** Resolves when the connection and all its calls have ended. */
async function serveConnection(
  socket: Duplex,
  { methods, options, connections, stopping }: Serving,
): Promise<void> {
  const maxCalls = options.maxConcurrentCalls ?? defaultMaxCalls;
  const calls = new Set<Promise<void>>();
  const connection = new Http2Connection(socket, {
    limits: limitsOf(maxCalls),
    onError: (error) => options.onError?.(error),
    onStream: (stream, fields) => {
      // A handler may need longer for its end than the stream that its caller has reset.
      if (calls.size >= maxCalls) return refuseCall(stream);
      const { events, ended } = serveCall(stream, { fields, methods, options, stopping });
      calls.add(ended);
      void ended.finally(() => calls.delete(ended));
      return events;
    },
  });
  connections.add(connection);
  const patience = setTimeout(() => connection.destroy(), handshakePatience);
  patience.unref();
  void connection.greeted.then(() => clearTimeout(patience));
  const stopPings = keepAlive(connection, options.keepAlive);
  await connection.closed;
  stopPings();
  connections.delete(connection);
  await Promise.all(calls);
}
