// The asking side of a connection.
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import type { Duplex } from "node:stream";
import { isAbortError } from "../../base/index.ts";
import { cutOff, keepAlive, sessionSettings, widenWindow } from "./connection.ts";
import { defaultMaxMessageSize, MessageParser } from "./framing.ts";
import { headersOf, metadataOf, statusOf } from "./headers.ts";
import { Inbound } from "./inbound.ts";
import { decoded } from "./messages.ts";
import { send } from "./outbound.ts";
import { StatusError, statusCodes } from "./status.ts";
import type { Channel, ClientCall, ConnectionOptions, MethodDefinition } from "./types.ts";
import { openWire } from "./wire.ts";

export interface ChannelOptions extends ConnectionOptions {
  /** What the server is called in the requests; `localhost` where absent. */
  readonly authority?: string;
}

/** Speaks HTTP/2 over `socket`, which it then owns. Calls fail with UNAVAILABLE once the connection is gone. */
export function openChannel(socket: Duplex, options: ChannelOptions = {}): Channel {
  const authority = options.authority ?? "localhost";
  const wire = openWire(socket);
  const session = connect(`http://${authority}`, {
    ...sessionSettings,
    createConnection: () => wire,
  });
  let failure: Error | undefined;
  session.on("error", (error) => {
    failure ??= error;
  });
  widenWindow(session);
  const stopPings = keepAlive(session, options.keepAlive);
  const closed = new Promise<void>((resolve) => {
    session.once("close", () => {
      stopPings();
      wire.destroy();
      resolve();
    });
  });
  const lost = () =>
    new StatusError(
      statusCodes.UNAVAILABLE,
      failure ? `the connection was lost: ${failure.message}` : "the connection was closed",
    );
  return {
    closed,
    connection: {
      call: (path, definition, requests, call) =>
        startCall({ session, options, lost }, { path, definition, requests, call }),
    },
    async [Symbol.asyncDispose]() {
      await cutOff(session, socket, closed);
    },
  };
}

interface Wire {
  readonly session: ClientHttp2Session;
  readonly options: ConnectionOptions;
  readonly lost: () => StatusError;
}

interface OutgoingCall {
  readonly path: string;
  readonly definition: MethodDefinition;
  readonly requests: AsyncIterable<unknown>;
  readonly call: ClientCall;
}

/** Begins at once; the answers may be read later. Leaving them early cancels the call. */
function startCall(
  wire: Wire,
  { path, definition, requests, call }: OutgoingCall,
): AsyncIterable<unknown> {
  call.signal.throwIfAborted();
  const { session, options, lost } = wire;
  if (session.destroyed || session.closed) throw lost();
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
    "user-agent": "grpc-kiln",
    ...headersOf(call.metadata ?? new Map()),
  });
  const ending = watchEnd(stream, lost, call);
  const parser = new MessageParser(
    options.maxMessageSize ?? defaultMaxMessageSize,
    ending.encoding,
  );
  const inbound: Inbound = new Inbound(
    stream,
    parser,
    () => ending.settle(),
    (error) => ending.settle(error),
  );
  ending.onSettled((failure) => {
    if (failure === undefined) inbound.end();
    else inbound.fail(failure);
    if (!stream.closed) stream.close(constants.NGHTTP2_CANCEL);
  });
  const cancel = () => ending.settle(call.signal.reason);
  call.signal.addEventListener("abort", cancel, { once: true });
  stream.once("close", () => call.signal.removeEventListener("abort", cancel));
  void pump(stream, definition, requests).catch((error: unknown) => ending.settle(error));
  return answers(decoded(definition.responseType, inbound), () => {
    if (!stream.closed) stream.close(constants.NGHTTP2_CANCEL);
  });
}

/** Sends the requests, as fast as they are taken, then says that there are no more. */
async function pump(
  stream: ClientHttp2Stream,
  definition: MethodDefinition,
  requests: AsyncIterable<unknown>,
): Promise<void> {
  const iterator = requests[Symbol.asyncIterator]();
  // No `Promise.race` with the end of the call: it would keep every message until then.
  let leave = () => {};
  let gone = false;
  stream.once("close", () => {
    gone = true;
    leave();
  });
  for (;;) {
    // A source that waits for something else must not keep an ended call.
    const next = await new Promise<IteratorResult<unknown> | undefined>((resolve, reject) => {
      leave = () => resolve(undefined);
      if (gone) leave();
      iterator.next().then(resolve, reject);
    });
    if (next === undefined) {
      void Promise.resolve(iterator.return?.()).catch(() => {});
      return;
    }
    if (next.done) break;
    await send(stream, definition.requestType, next.value);
  }
  if (!stream.closed && !stream.destroyed) stream.end();
}

async function* answers(
  messages: AsyncIterable<unknown>,
  leave: () => void,
): AsyncIterable<unknown> {
  try {
    yield* messages;
  } finally {
    leave();
  }
}

/** Gathers headers, trailers and failures of a stream into one end. */
function watchEnd(stream: ClientHttp2Stream, lost: () => StatusError, call: ClientCall) {
  let headers: ReadonlyMap<string, readonly string[]> = new Map();
  let trailers: ReadonlyMap<string, readonly string[]> | undefined;
  let broken: Error | undefined;
  let settled = false;
  let listener: (failure: unknown) => void = () => {};
  const settle = (failure?: unknown) => {
    if (settled) return;
    settled = true;
    listener(failure ?? statusOf(trailers ?? headers));
  };
  stream.on("response", (response, _flags, raw?: string[]) => {
    headers = metadataOf(raw ?? []);
    const status = Number(response[":status"]);
    if (status !== 200) return settle(new StatusError(codeOfHttp(status), `HTTP status ${status}`));
    call.onHeaders?.(headers);
  });
  stream.on("trailers", (_headers, _flags, raw?: string[]) => {
    trailers = metadataOf(raw ?? []);
  });
  stream.on("error", (error) => {
    broken = error;
  });
  stream.on("close", () => {
    if (trailers || headers.has("grpc-status")) return settle();
    const code = stream.rstCode;
    if (isAbortError(broken)) return settle(broken);
    settle(
      code === constants.NGHTTP2_REFUSED_STREAM || code === constants.NGHTTP2_NO_ERROR
        ? lost()
        : resetStatus(code ?? 0, broken),
    );
  });
  return {
    settle,
    encoding: (): string | undefined => headers.get("grpc-encoding")?.[0],
    onSettled(tell: (failure: unknown) => void) {
      listener = tell;
    },
  };
}

function resetStatus(code: number, cause: Error | undefined): StatusError {
  const of: Readonly<Record<number, number>> = {
    [constants.NGHTTP2_CANCEL]: statusCodes.CANCELLED,
    [constants.NGHTTP2_ENHANCE_YOUR_CALM]: statusCodes.RESOURCE_EXHAUSTED,
  };
  const why = cause ? `: ${cause.message}` : "";
  return new StatusError(of[code] ?? statusCodes.UNAVAILABLE, `the call was reset (${code})${why}`);
}

function codeOfHttp(status: number): number {
  const of: Readonly<Record<number, number>> = {
    400: statusCodes.INTERNAL,
    401: statusCodes.UNAUTHENTICATED,
    403: statusCodes.PERMISSION_DENIED,
    404: statusCodes.UNIMPLEMENTED,
  };
  return of[status] ?? (status >= 429 ? statusCodes.UNAVAILABLE : statusCodes.UNKNOWN);
}
