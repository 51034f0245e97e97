// One call on the serving side: request to handler to messages, trailers and status.
import {
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import { abortReason, log } from "../../base/index.ts";
import { defaultMaxMessageSize, MessageParser } from "./framing.ts";
import { headersOf, metadataOf, statusHeaders, timeoutOf } from "./headers.ts";
import { Inbound } from "./inbound.ts";
import { decoded } from "./messages.ts";
import { send } from "./outbound.ts";
import { asStatus, StatusError, statusCodes } from "./status.ts";
import type { BoundMethod, Metadata, ServerCall, ServerOptions } from "./types.ts";

/** What came with a call, and what it may be for. */
export interface IncomingCall {
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly methods: ReadonlyMap<string, BoundMethod>;
  readonly options: ServerOptions;
  /** Aborted, with the reason, when the call must end. */
  readonly stopping: AbortSignal;
}

const debug = log("grpc");

const contentType = { ":status": 200, "content-type": "application/grpc" };

/** Resolves when the call has ended and its handler has returned; never rejects. */
export async function serveCall(stream: ServerHttp2Stream, incoming: IncomingCall): Promise<void> {
  const { headers, methods, options, stopping } = incoming;
  // A stream that the other side resets tells by `close`, too.
  stream.on("error", () => {});
  if (headers[":method"] !== "POST") return refuse(stream, 405);
  if (!String(headers["content-type"] ?? "").startsWith("application/grpc"))
    return refuse(stream, 415);
  const responder = new Responder(stream);
  const controller = new AbortController();
  const stop = () => controller.abort(stopping.reason);
  if (stopping.aborted) stop();
  stopping.addEventListener("abort", stop);
  stream.once("close", () => {
    if (!responder.ended) controller.abort(abortReason("the caller cancelled the call"));
  });
  try {
    const path = String(headers[":path"] ?? "");
    debug.debug("call", { path, stream: stream.id });
    const method = methods.get(path);
    if (!method) throw new StatusError(statusCodes.UNIMPLEMENTED, `unknown method ${path}`);
    const metadata = metadataOf(incoming.rawHeaders);
    const timer = startDeadline(timeoutOf(metadata), controller);
    const call = new RunningCall(method, metadata, controller.signal, responder);
    const encoding = () => metadata.get("grpc-encoding")?.[0];
    const parser = new MessageParser(options.maxMessageSize ?? defaultMaxMessageSize, encoding);
    const requests: Inbound = new Inbound(
      stream,
      parser,
      () => requests.end(),
      (error) => {
        requests.fail(error);
        // Handlers that wait for something else than requests end too.
        controller.abort(error);
      },
    );
    controller.signal.addEventListener("abort", () => requests.fail(controller.signal.reason));
    try {
      await respond(method, requests, call, responder);
    } finally {
      clearTimeout(timer);
      await requests.return();
    }
    debug.debug("answered", { stream: stream.id });
    responder.end(undefined);
  } catch (error) {
    const { aborted, reason } = controller.signal;
    const status = asStatus(aborted ? reason : error);
    debug.debug("failed", { stream: stream.id, code: status.code, message: status.message });
    responder.end(status);
  } finally {
    stopping.removeEventListener("abort", stop);
  }
}

function refuse(stream: ServerHttp2Stream, status: number): void {
  stream.resume();
  stream.respond({ ":status": status }, { endStream: true });
}

function startDeadline(
  timeout: number | undefined,
  controller: AbortController,
): NodeJS.Timeout | undefined {
  if (timeout === undefined) return undefined;
  const expire = () => {
    const error = abortReason("the caller's time for the call is over");
    error.name = "TimeoutError";
    controller.abort(error);
  };
  // Longer than a timer can wait is as good as for ever.
  return timeout < 2 ** 31 ? setTimeout(expire, timeout) : undefined;
}

/** Runs the handler in the shape that its definition has. */
async function respond(
  method: BoundMethod,
  inbound: Inbound,
  call: ServerCall,
  responder: Responder,
): Promise<void> {
  const { definition } = method;
  const handler = method.handler as (request: unknown, call: ServerCall) => unknown;
  const requests = decoded(definition.requestType, inbound);
  const request = definition.requestStream ? requests : await only(requests);
  const answer = handler(request, call);
  if (!definition.responseStream) {
    return await responder.send(definition.responseType, await answer);
  }
  for await (const message of answer as AsyncIterable<unknown>) {
    await responder.send(definition.responseType, message);
    call.signal.throwIfAborted();
  }
}

/** The one message of a caller that sends one. */
async function only(requests: AsyncIterable<unknown>): Promise<unknown> {
  for await (const request of requests) return request;
  throw new StatusError(statusCodes.INTERNAL, "the call ended without a request");
}

class RunningCall implements ServerCall {
  readonly metadata: Metadata;
  readonly service: string;
  readonly method: string;
  readonly signal: AbortSignal;
  readonly #responder: Responder;

  constructor(method: BoundMethod, metadata: Metadata, signal: AbortSignal, responder: Responder) {
    this.metadata = metadata;
    this.service = method.service;
    this.method = method.definition.name;
    this.signal = signal;
    this.#responder = responder;
  }

  sendHeaders(metadata: Metadata): void {
    this.#responder.sendHeaders(headersOf(metadata));
  }

  setTrailers(metadata: Metadata): void {
    this.#responder.trailers = headersOf(metadata);
  }
}

/** The answering half of a call's stream. */
class Responder {
  trailers: OutgoingHttpHeaders = {};
  ended = false;
  readonly #stream: ServerHttp2Stream;

  constructor(stream: ServerHttp2Stream) {
    this.#stream = stream;
  }

  sendHeaders(headers: OutgoingHttpHeaders): void {
    const stream = this.#stream;
    if (stream.headersSent || stream.destroyed || stream.closed) return;
    stream.respond({ ...contentType, ...headers }, { waitForTrailers: true });
  }

  async send(type: unknown, message: unknown): Promise<void> {
    this.sendHeaders({});
    await send(this.#stream, type, message);
  }

  /** Undefined is a good end. */
  end(status: StatusError | undefined): void {
    if (this.ended) return;
    this.ended = true;
    const stream = this.#stream;
    if (stream.destroyed || stream.closed) return;
    const trailers = { ...this.trailers, ...statusHeaders(status) };
    stream.resume();
    if (!stream.headersSent) {
      stream.respond({ ...contentType, ...trailers }, { endStream: true });
      this.#letGo();
      return;
    }
    stream.once("wantTrailers", () => {
      stream.sendTrailers(trailers);
      this.#letGo();
    });
    stream.end();
  }

  /** A caller that goes on sending is told that nobody reads it any more. */
  #letGo(): void {
    const stream = this.#stream;
    setImmediate(() => {
      if (!stream.closed && !stream.destroyed) stream.close(constants.NGHTTP2_NO_ERROR);
    });
  }
}
