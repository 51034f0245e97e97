// The part of docker's Engine API that builders need, over node:http.
import { once } from "node:events";
import { type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import {
  type Bytes,
  type Call,
  isRecord,
  KilnError,
  readAll,
  throwIfAborted,
} from "../../base/index.ts";
import type { DockerEndpoint } from "./contexts.ts";
import { connectDocker } from "./transport.ts";

/** One request; `path` without the API's version. */
export interface EngineRequest {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "DELETE";
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly body?: Bytes;
  readonly headers?: Readonly<Record<string, string | string[]>>;
}

/** One docker engine. Each request has its own connection, which ends with the answer. */
export interface DockerEngine {
  readonly endpoint: DockerEndpoint;
  /** Throws `DOCKER_FAILED` with the engine's own message for statuses from 400; the body must be read or destroyed. */
  send(request: EngineRequest, call: Call): Promise<IncomingMessage>;
  /** As `send`, with the answer read as JSON. */
  json(request: EngineRequest, call: Call): Promise<unknown>;
  /** As `send`, when the answer does not matter. */
  done(request: EngineRequest, call: Call): Promise<void>;
  /** Turns the connection of a request into a stream of its own (`Upgrade: h2c`, `tcp`). */
  hijack(request: EngineRequest, protocol: string, call: Call): Promise<Duplex>;
}

/** Old enough for every engine with BuildKit, new enough for what is asked here. */
const apiVersion = "v1.44";
const maxAnswer = 16 * 1024 * 1024;
const maxMessage = 64 * 1024;

/** Opens nothing yet. `env` is what ssh and its like are started with. */
export function dockerEngine(
  endpoint: DockerEndpoint,
  env: Readonly<Record<string, string | undefined>>,
): DockerEngine {
  const send = async (request: EngineRequest, call: Call) => {
    const { answer } = await exchange(endpoint, env, request, undefined, call);
    if ((answer.statusCode ?? 500) >= 400) throw await failureOf(answer, request);
    return answer;
  };
  return {
    endpoint,
    send,
    async json(request, call) {
      const answer = await send(request, call);
      const text = new TextDecoder().decode(await readAll(answer, maxAnswer, "docker's answer"));
      try {
        return JSON.parse(text);
      } catch (cause) {
        const message = `docker answered ${request.method} ${request.path} with no JSON`;
        throw new KilnError("DOCKER_FAILED", message, { cause });
      }
    },
    async done(request, call) {
      const answer = await send(request, call);
      answer.resume();
    },
    async hijack(request, protocol, call) {
      const { answer, stream } = await exchange(endpoint, env, request, protocol, call);
      if (stream) return stream;
      if ((answer.statusCode ?? 500) >= 400) throw await failureOf(answer, request);
      answer.destroy();
      throw new KilnError(
        "DOCKER_FAILED",
        `docker did not turn ${request.path} into a stream: it answered ${answer.statusCode}`,
      );
    },
  };
}

interface Exchange {
  readonly answer: IncomingMessage;
  /** The connection itself, when it was upgraded. */
  readonly stream?: Duplex;
}

async function exchange(
  endpoint: DockerEndpoint,
  env: Readonly<Record<string, string | undefined>>,
  asked: EngineRequest,
  upgrade: string | undefined,
  call: Call,
): Promise<Exchange> {
  const socket = await connectDocker(endpoint, env, call);
  const text = asked.json === undefined ? undefined : JSON.stringify(asked.json);
  const query = new URLSearchParams(asked.query ?? {}).toString();
  const request = httpRequest({
    createConnection: () => socket,
    host: "docker",
    method: asked.method,
    path: `/${apiVersion}${asked.path}${query === "" ? "" : `?${query}`}`,
    headers: {
      ...(text === undefined
        ? {}
        : {
            "content-type": "application/json",
            "content-length": new TextEncoder().encode(text).length,
          }),
      ...(upgrade === undefined ? { connection: "close" } : { connection: "Upgrade", upgrade }),
      ...asked.headers,
    },
  });
  const stop = () => void socket.destroy(call.signal.reason);
  call.signal.addEventListener("abort", stop, { once: true });
  socket.once("close", () => call.signal.removeEventListener("abort", stop));
  const answered = answerOf(request);
  try {
    const sent = sendBody(request, text, asked.body);
    sent.catch(() => undefined);
    const early = await Promise.race([sent, answered]);
    // Docker refuses before it has read everything, and reads no further.
    if (!early || (early.answer.statusCode ?? 0) < 300) await sent;
    const exchanged = await answered;
    // The call is about opening the stream, not about using it.
    if (exchanged.stream) call.signal.removeEventListener("abort", stop);
    return exchanged;
  } catch (cause) {
    socket.destroy();
    answered.catch(() => undefined);
    throwIfAborted(call);
    if (cause instanceof KilnError) throw cause;
    const where = `${asked.method} ${asked.path} at ${endpoint.host}`;
    throw new KilnError("BUILDER_UNREACHABLE", `docker broke the connection: ${where}`, { cause });
  }
}

function answerOf(request: ClientRequest): Promise<Exchange> {
  return new Promise((resolve, reject) => {
    request.once("response", (answer) => resolve({ answer }));
    request.once("upgrade", (answer, stream, head) => {
      if (head.length > 0) stream.unshift(head);
      resolve({ answer, stream });
    });
    request.once("error", reject);
  });
}

async function sendBody(
  request: ClientRequest,
  text: string | undefined,
  body: Bytes | undefined,
): Promise<void> {
  if (body) {
    for await (const chunk of body) {
      if (request.write(chunk)) continue;
      // Takes its listeners away again, and throws what the connection failed with.
      await once(request, "drain");
    }
  }
  request.end(text);
}

async function failureOf(answer: IncomingMessage, request: EngineRequest): Promise<KilnError> {
  const { statusCode: status = 0 } = answer;
  const what = "docker's error";
  const text = new TextDecoder().decode(
    await readAll(answer, maxMessage, what).catch(() => new Uint8Array()),
  );
  const message = `Error response from daemon: ${messageOf(text) || `${request.path} answered ${status}`}`;
  return new KilnError("DOCKER_FAILED", message, { details: { status } });
}

function messageOf(text: string): string {
  try {
    const document: unknown = JSON.parse(text);
    if (isRecord(document) && typeof document["message"] === "string") return document["message"];
  } catch {
    // Plain text then.
  }
  return text.trim().slice(0, 1000);
}

/** True for the engine's "there is no such thing". */
export function isMissing(error: unknown): boolean {
  return (
    error instanceof KilnError && error.code === "DOCKER_FAILED" && error.details["status"] === 404
  );
}
