// The asking side of a connection.
import type { Duplex } from "node:stream";
import { isAbortError } from "../../base/index.ts";
import {
  errorCodes,
  Http2Connection,
  Http2Error,
  type Stream,
  type StreamEvents,
} from "../http2/index.ts";
import { keepAlive, limitsOf } from "./connection.ts";
import { defaultMaxMessageSize } from "./framing.ts";
import { fieldsOf, metadataOf, statusOf } from "./headers.ts";
import { Inbound } from "./inbound.ts";
import { decoded, sourceOf } from "./messages.ts";
import { Outbound } from "./outbound.ts";
import { StatusError, statusCodes } from "./status.ts";
import type {
  Channel,
  ClientCall,
  ConnectionOptions,
  Metadata,
  MethodDefinition,
} from "./types.ts";

export interface ChannelOptions extends ConnectionOptions {
  /** What the server is called in the requests; `localhost` where absent. */
  readonly authority?: string;
}

/** Speaks HTTP/2 over `socket`, which it then owns. Calls fail with UNAVAILABLE once the connection is gone. */
export function openChannel(socket: Duplex, options: ChannelOptions = {}): Channel {
  const connection = new Http2Connection(socket, { limits: limitsOf(0) });
  const stopPings = keepAlive(connection, options.keepAlive);
  const closed = connection.closed.then(stopPings);
  return {
    closed,
    connection: {
      call: (path, definition, requests, call) =>
        new OutgoingCall(connection, options, { path, definition, call }).start(requests),
    },
    async [Symbol.asyncDispose]() {
      connection.destroy();
      await closed;
    },
  };
}

interface Asked {
  readonly path: string;
  readonly definition: MethodDefinition;
  readonly call: ClientCall;
}

function requestFields(path: string, authority: string, call: ClientCall): string[] {
  const metadata: Metadata = call.sendMetadata ?? new Map();
  return [
    ...[":method", "POST", ":scheme", "http", ":path", path, ":authority", authority],
    ...["content-type", "application/grpc", "te", "trailers", "user-agent", "grpc-kiln"],
    ...fieldsOf(metadata),
  ];
}

class OutgoingCall implements StreamEvents {
  readonly #connection: Http2Connection;
  readonly #definition: MethodDefinition;
  readonly #call: ClientCall;
  readonly #inbound: Inbound;
  readonly #outbound: Outbound;
  readonly #stream: Stream;
  #headers: Metadata = new Map();
  #trailers: Metadata | undefined;
  #settled = false;
  /** Ends the wait for the next request. */
  #leave: () => void = () => {};

  constructor(connection: Http2Connection, options: ChannelOptions, asked: Asked) {
    const { path, definition, call } = asked;
    call.signal.throwIfAborted();
    this.#connection = connection;
    this.#definition = definition;
    this.#call = call;
    if (!connection.usable) throw this.#lost();
    const source = sourceOf(
      definition.responseType,
      options.maxMessageSize ?? defaultMaxMessageSize,
      () => this.#headers.get("grpc-encoding")?.[0],
    );
    this.#inbound = new Inbound(
      source,
      (size) => this.#stream.consumed(size),
      (error) => this.#settle(error),
    );
    const authority = options.authority ?? "localhost";
    this.#stream = connection.request(requestFields(path, authority, call), this);
    this.#outbound = new Outbound(this.#stream);
  }

  /** Begins at once; the answers may be read later. Leaving them early cancels the call. */
  start(requests: AsyncIterable<unknown>): AsyncIterable<unknown> {
    this.#call.signal.addEventListener("abort", this.#cancel, { once: true });
    void this.#pump(requests).catch((error: unknown) => this.#settle(error));
    return this.#answers();
  }

  headers(fields: readonly string[]): void {
    this.#headers = metadataOf(fields);
    const status = Number(fields[fields.indexOf(":status") + 1]);
    if (status === 200) this.#call.onHeaders?.(this.#headers);
    else if (this.#headers.has("grpc-status")) this.#settle(statusOf(this.#headers));
    else this.#settle(new StatusError(codeOfHttp(status), `HTTP status ${status}`));
  }

  data(piece: Uint8Array): void {
    this.#inbound.take(piece);
  }

  trailers(fields: readonly string[]): void {
    this.#trailers = metadataOf(fields);
  }

  ended(): void {
    this.#settle(statusOf(this.#trailers ?? this.#headers));
  }

  drained(): void {
    this.#outbound.drained();
  }

  closed(error: Error | undefined): void {
    this.#settle(this.#failureOf(error));
    this.#outbound.drained();
  }

  readonly #cancel = (): void => this.#settle(this.#call.signal.reason);

  #settle(failure: unknown): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#call.signal.removeEventListener("abort", this.#cancel);
    if (failure === undefined) this.#inbound.end();
    else this.#inbound.fail(failure);
    this.#stream.reset(errorCodes.CANCEL);
    this.#leave();
  }

  #lost(): StatusError {
    const { failure } = this.#connection;
    return new StatusError(
      statusCodes.UNAVAILABLE,
      failure ? `the connection was lost: ${failure.message}` : "the connection was closed",
    );
  }

  #failureOf(error: Error | undefined): unknown {
    if (!error || isAbortError(error)) return error;
    if (!(error instanceof Http2Error) || error.stream === undefined) return this.#lost();
    const { code } = error;
    if (code === errorCodes.REFUSED_STREAM || code === errorCodes.NO_ERROR) return this.#lost();
    return new StatusError(codeOfReset[code] ?? statusCodes.UNAVAILABLE, error.message);
  }

  /** Sends the requests, as fast as they are taken, then says that there are no more. */
  async #pump(requests: AsyncIterable<unknown>): Promise<void> {
    const iterator = requests[Symbol.asyncIterator]();
    for (;;) {
      // No `Promise.race` with the end of the call: it would keep every message until then.
      const next = await new Promise<IteratorResult<unknown> | undefined>((resolve, reject) => {
        // A source that waits for something else must not keep an ended call.
        this.#leave = () => resolve(undefined);
        if (this.#settled) this.#leave();
        else iterator.next().then(resolve, reject);
      });
      if (next === undefined) {
        void Promise.resolve(iterator.return?.()).catch(() => {});
        return;
      }
      if (next.done) break;
      const full = this.#outbound.send(this.#definition.requestType, next.value);
      if (full !== undefined) await full;
    }
    this.#stream.end();
  }

  async *#answers(): AsyncIterable<unknown> {
    try {
      yield* decoded(this.#definition.responseType, this.#inbound);
    } finally {
      this.#settle(undefined);
    }
  }
}

const codeOfReset: Readonly<Record<number, number>> = {
  [errorCodes.CANCEL]: statusCodes.CANCELLED,
  [errorCodes.ENHANCE_YOUR_CALM]: statusCodes.RESOURCE_EXHAUSTED,
};

function codeOfHttp(status: number): number {
  const of: Readonly<Record<number, number>> = {
    400: statusCodes.INTERNAL,
    401: statusCodes.UNAUTHENTICATED,
    403: statusCodes.PERMISSION_DENIED,
    404: statusCodes.UNIMPLEMENTED,
  };
  return of[status] ?? (status >= 429 ? statusCodes.UNAVAILABLE : statusCodes.UNKNOWN);
}
