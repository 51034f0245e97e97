// One call on the serving side: request to handler to messages, trailers and status.
import { abortReason, log } from "../../base/index.ts";
import { errorCodes, type Fields, type Stream, type StreamEvents } from "../http2/index.ts";
import { defaultMaxMessageSize } from "./framing.ts";
import { fieldsOf, metadataOf, statusFields, timeoutOf } from "./headers.ts";
import { Inbound } from "./inbound.ts";
import { decoded, sourceOf } from "./messages.ts";
import { Outbound } from "./outbound.ts";
import { asStatus, StatusError, statusCodes } from "./status.ts";
import type { BoundMethod, Metadata, ServerCall, ServerOptions } from "./types.ts";

/** What came with a call, and what it may be for. */
export interface IncomingCall {
  readonly fields: Fields;
  readonly methods: ReadonlyMap<string, BoundMethod>;
  readonly options: ServerOptions;
  /** Aborted, with the reason, when the call must end. */
  readonly stopping: AbortSignal;
}

const debug = log("grpc");

const firstFields: Fields = [":status", "200", "content-type", "application/grpc"];

/** `ended` resolves when the call has ended and its handler has returned; it never rejects. */
export function serveCall(
  stream: Stream,
  incoming: IncomingCall,
): { readonly events: StreamEvents; readonly ended: Promise<void> } {
  const { fields } = incoming;
  const pseudo = (name: string) => fields[fields.indexOf(name) + 1];
  if (pseudo(":method") !== "POST") return refuse(stream, 405);
  const metadata = metadataOf(fields);
  if (!metadata.get("content-type")?.[0]?.startsWith("application/grpc"))
    return refuse(stream, 415);
  const path = pseudo(":path") ?? "";
  debug.debug("call", { path, stream: stream.id });
  const running = new Running(stream, path, metadata, incoming);
  return { events: running.events, ended: running.ended };
}

function refuse(stream: Stream, status: number) {
  stream.sendHeaders([":status", String(status)], true);
  stream.letGoAtEnd();
  return { events: ignoring(stream), ended: Promise.resolve() };
}

/** Of a stream in which nobody is interested. */
function ignoring(stream: Stream): StreamEvents {
  const nothing = () => {};
  return {
    headers: nothing,
    data: (piece) => stream.consumed(piece.length),
    trailers: nothing,
    ended: nothing,
    drained: nothing,
    closed: nothing,
  };
}

/** A call that more are running already than may: as if it had not been made. */
export function refuseCall(stream: Stream): StreamEvents {
  stream.reset(errorCodes.REFUSED_STREAM);
  return ignoring(stream);
}

class Running {
  readonly events: StreamEvents;
  readonly ended: Promise<void>;
  readonly #stream: Stream;
  readonly #metadata: Metadata;
  readonly #incoming: IncomingCall;
  readonly #controller = new AbortController();
  readonly #responder: Responder;

  constructor(stream: Stream, path: string, metadata: Metadata, incoming: IncomingCall) {
    this.#stream = stream;
    this.#metadata = metadata;
    this.#incoming = incoming;
    this.#responder = new Responder(stream);
    const method = incoming.methods.get(path);
    const inbound = this.#inbound(method);
    this.events = {
      ...ignoring(stream),
      data: (piece) => inbound.take(piece),
      ended: () => inbound.end(),
      drained: () => this.#responder.outbound.drained(),
      closed: () => {
        this.#responder.outbound.drained();
        if (!this.#responder.ended)
          this.#controller.abort(abortReason("the caller cancelled the call"));
      },
    };
    this.ended = this.#run(path, method, inbound);
  }

  #inbound(method: BoundMethod | undefined): Inbound {
    const { options } = this.#incoming;
    const encoding = () => this.#metadata.get("grpc-encoding")?.[0];
    const source = sourceOf(
      method?.definition.requestType,
      options.maxMessageSize ?? defaultMaxMessageSize,
      encoding,
    );
    const inbound = new Inbound(
      source,
      (size) => this.#stream.consumed(size),
      // Handlers that wait for something else than requests end too.
      (error) => this.#controller.abort(error),
    );
    const { signal } = this.#controller;
    signal.addEventListener("abort", () => inbound.fail(signal.reason), { once: true });
    return inbound;
  }

  async #run(path: string, method: BoundMethod | undefined, inbound: Inbound): Promise<void> {
    const { stopping } = this.#incoming;
    const { signal } = this.#controller;
    const stream = this.#stream.id;
    const stop = () => this.#controller.abort(stopping.reason);
    if (stopping.aborted) stop();
    stopping.addEventListener("abort", stop);
    let timer: NodeJS.Timeout | undefined;
    try {
      if (!method) throw new StatusError(statusCodes.UNIMPLEMENTED, `unknown method ${path}`);
      timer = startDeadline(timeoutOf(this.#metadata), this.#controller);
      const call = new RunningCall(method, this.#metadata, signal, this.#responder);
      await respond(method, inbound, call, this.#responder);
      debug.debug("answered", { stream });
      this.#responder.end(undefined);
    } catch (error) {
      const status = asStatus(signal.aborted ? signal.reason : error);
      debug.debug("failed", { stream, code: status.code, message: status.message });
      const { requestStream, responseStream } = method?.definition ?? { requestStream: true };
      if (!requestStream && !responseStream) this.#incoming.options.onFailure?.(path, status);
      this.#responder.end(status);
    } finally {
      clearTimeout(timer);
      await inbound.return();
      stopping.removeEventListener("abort", stop);
    }
  }
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
    await responder.send(definition.responseType, await answer);
    return;
  }
  for await (const message of answer as AsyncIterable<unknown>) {
    const full = responder.send(definition.responseType, message);
    if (full !== undefined) await full;
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
    this.#responder.sendHeaders(fieldsOf(metadata));
  }

  setTrailers(metadata: Metadata): void {
    this.#responder.trailers = fieldsOf(metadata);
  }
}

/** The answering half of a call's stream. */
class Responder {
  trailers: Fields = [];
  ended = false;
  readonly outbound: Outbound;
  readonly #stream: Stream;
  #headersSent = false;

  constructor(stream: Stream) {
    this.#stream = stream;
    this.outbound = new Outbound(stream);
  }

  sendHeaders(fields: Fields): void {
    if (this.#headersSent) return;
    this.#headersSent = true;
    this.#stream.sendHeaders([...firstFields, ...fields]);
  }

  send(type: unknown, message: unknown): Promise<void> | undefined {
    this.sendHeaders([]);
    return this.outbound.send(type, message);
  }

  /** Undefined is a good end. */
  end(status: StatusError | undefined): void {
    if (this.ended) return;
    this.ended = true;
    const trailers = [...this.trailers, ...statusFields(status)];
    if (this.#headersSent) this.#stream.end(trailers);
    else this.#stream.sendHeaders([...firstFields, ...trailers], true);
    this.#stream.letGoAtEnd();
  }
}
