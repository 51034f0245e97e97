// One request and its answer over node:http or node:https: no retries, no redirects, no credentials of its own.
import { setMaxListeners } from "node:events";
import type {
  Agent,
  ClientRequest,
  IncomingHttpHeaders,
  IncomingMessage,
  RequestOptions,
} from "node:http";
import { abortReason, type Bytes, type Call, concatBytes } from "../../base/index.ts";
import { NetworkFailure, toNetworkFailure } from "./network-error.ts";

/** What is sent with a request. `open` is called once for each attempt. */
export interface RequestBody {
  /** In bytes. */
  readonly size: number;
  open(): Bytes;
}

export interface HttpRequest {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: RequestBody;
}

/** What `node:http` or `node:https` needs to reach one URL. */
export interface Route {
  readonly protocol: "http:" | "https:";
  readonly host: string;
  readonly port: string;
  readonly path: string;
  /** Only what the way there asks for. */
  readonly headers: Readonly<Record<string, string>>;
  readonly agent: Agent;
}

/** An answer whose body has not been read. Who receives it reads the body or calls `discard`. */
export interface HttpResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly url: URL;
  /** Throws `NetworkFailure` when the connection is cut before the promised length. */
  body(call: Call): Bytes;
  /** At most `limit` bytes of the body; the rest is thrown away. */
  readUpTo(limit: number, call: Call): Promise<Uint8Array>;
  discard(): void;
}

export interface ExchangeTimeouts {
  readonly connectTimeout: number;
  readonly idleTimeout: number;
}

/** The body's own source failed: not the network's fault, and not to be tried again. */
export class SourceFailure extends Error {
  constructor(cause: unknown) {
    super("the data to send could not be read", { cause });
    this.name = "SourceFailure";
  }
}

// Signed URLs and cookies of clouds outgrow Node's default.
const maxHeaderSize = 64 * 1024;
/** A server may be silent this many times longer once it has a whole blob to check and to store. */
const storingFactor = 5;
/** Unread bodies up to this size are read to keep their connection. */
const cheapToDrain = 64 * 1024;

/**
 * Sends a request and waits for the head of the answer. Throws `NetworkFailure`, `SourceFailure` or, when the call is
 * cancelled, its reason.
 */
export async function exchange(
  request: HttpRequest,
  route: Route,
  timeouts: ExchangeTimeouts,
  call: Call,
): Promise<HttpResponse> {
  call.signal.throwIfAborted();
  // Hundreds of requests may hang on the signal of one build: that is no leak.
  setMaxListeners(0, call.signal);
  const { request: open } =
    route.protocol === "https:" ? await import("node:https") : await import("node:http");
  const outgoing = open(requestOptions(request, route));
  const stop = () => outgoing.destroy(abortReason("cancelled"));
  call.signal.addEventListener("abort", stop, { once: true });
  try {
    const incoming = await send(outgoing, request, timeouts);
    if (isBodiless(incoming, request.method)) await finished(incoming, outgoing);
    return responseOf(incoming, outgoing, request.url);
  } catch (error) {
    outgoing.destroy();
    call.signal.throwIfAborted();
    if (error instanceof SourceFailure) throw error;
    throw toNetworkFailure(error, outgoing.reusedSocket);
  } finally {
    call.signal.removeEventListener("abort", stop);
  }
}

function requestOptions(request: HttpRequest, route: Route): RequestOptions {
  const { protocol: _, ...where } = route;
  const length = request.body
    ? { "content-length": String(request.body.size) }
    : emptyBody(request.method);
  return {
    ...where,
    method: request.method,
    maxHeaderSize,
    headers: { ...request.headers, ...length, ...where.headers },
  };
}

function emptyBody(method: string): { "content-length"?: string } {
  return method === "POST" || method === "PUT" || method === "PATCH"
    ? { "content-length": "0" }
    : {};
}

function send(
  outgoing: ClientRequest,
  request: HttpRequest,
  timeouts: ExchangeTimeouts,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    outgoing.once("response", resolve);
    // Stays on: errors after the answer has come must not become uncaught.
    outgoing.on("error", reject);
    outgoing.once("close", () =>
      reject(new NetworkFailure("ECONNRESET", "the connection was cut")),
    );
    watch(outgoing, timeouts, request.body !== undefined);
    if (!request.body) outgoing.end();
    else pump(request.body, outgoing).catch((error: Error) => outgoing.destroy(error));
  });
}

function isBodiless({ statusCode, headers }: IncomingMessage, method: string): boolean {
  return method === "HEAD" || statusCode === 204 || headers["content-length"] === "0";
}

/** Until the connection is free for the next request: else that would open one of its own. */
function finished(incoming: IncomingMessage, outgoing: ClientRequest): Promise<void> {
  return new Promise((resolve) => {
    outgoing.once("close", resolve);
    incoming.resume();
    if (!outgoing.writableFinished || outgoing.destroyed) resolve();
  });
}

function watch(
  outgoing: ClientRequest,
  { connectTimeout, idleTimeout }: ExchangeTimeouts,
  stores: boolean,
): void {
  const late = (code: string) => () =>
    outgoing.destroy(new NetworkFailure(code, "the time was up"));
  outgoing.setTimeout(stores ? idleTimeout * storingFactor : idleTimeout, late("ETIMEDOUT"));
  outgoing.once("socket", (socket) => {
    if (!socket.connecting) return;
    const timer = setTimeout(late("CONNECT_TIMEOUT"), connectTimeout);
    const clear = () => clearTimeout(timer);
    socket.once("connect", clear).once("close", clear);
  });
}

/** Sends the body until it ends, or until the server has answered without waiting for all of it. */
async function pump(body: RequestBody, outgoing: ClientRequest): Promise<void> {
  let ended = false;
  const stopped = new Promise<void>((resolve) => {
    const stop = () => {
      ended = true;
      resolve();
    };
    outgoing.once("response", stop).once("close", stop).once("error", stop);
  });
  let sent = 0;
  for await (const chunk of fromSource(body.open())) {
    if (ended) return;
    sent += chunk.length;
    if (sent > body.size) break;
    if (!outgoing.write(chunk)) await Promise.race([drained(outgoing), stopped]);
  }
  if (ended) return;
  if (sent !== body.size) {
    throw new SourceFailure(new Error(`${sent} bytes where ${body.size} were promised`));
  }
  outgoing.end();
}

function drained(outgoing: ClientRequest): Promise<void> {
  return new Promise((resolve) => outgoing.once("drain", resolve));
}

async function* fromSource(data: Bytes): Bytes {
  try {
    yield* data;
  } catch (error) {
    throw new SourceFailure(error);
  }
}

function responseOf(incoming: IncomingMessage, outgoing: ClientRequest, url: URL): HttpResponse {
  // The body may fail before anybody reads it.
  incoming.on("error", () => {});
  const discard = () => {
    const small = Number(incoming.headers["content-length"] ?? 0) <= cheapToDrain;
    if (small && outgoing.writableFinished) incoming.resume();
    else outgoing.destroy();
  };
  const body = (call: Call) => readBody(incoming, outgoing, call);
  return {
    status: incoming.statusCode ?? 0,
    headers: incoming.headers,
    url,
    body,
    discard,
    async readUpTo(limit, call) {
      const chunks: Uint8Array[] = [];
      let left = limit;
      for await (const chunk of body(call)) {
        chunks.push(chunk.subarray(0, left));
        left -= Math.min(left, chunk.length);
        if (left === 0) break;
      }
      return concatBytes(chunks);
    },
  };
}

async function* readBody(incoming: IncomingMessage, outgoing: ClientRequest, call: Call): Bytes {
  const stop = () => outgoing.destroy(abortReason("cancelled"));
  call.signal.addEventListener("abort", stop, { once: true });
  try {
    call.signal.throwIfAborted();
    // Plain arrays: a Buffer's slice() would share memory where callers expect a copy.
    for await (const { buffer, byteOffset, byteLength } of incoming as AsyncIterable<Uint8Array>) {
      yield new Uint8Array(buffer, byteOffset, byteLength);
    }
  } catch (error) {
    call.signal.throwIfAborted();
    throw toNetworkFailure(error, false);
  } finally {
    call.signal.removeEventListener("abort", stop);
    if (!incoming.complete || !outgoing.writableFinished) outgoing.destroy();
  }
}
