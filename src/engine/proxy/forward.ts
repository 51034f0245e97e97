// One request of a step, on its way to the server and back: judged, noted, and never held in memory as a whole.
import type { ClientRequest, IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { type Call, isKilnError, type KilnError } from "../../base/index.ts";
import type { Connections } from "../../storage/http/index.ts";
import { trackBody, WrongChecksum } from "./body.ts";
import type { Capture, IncompleteReason } from "./capture.ts";
import { passedOn } from "./headers.ts";
import { type Judge, judged, type Target, toldUrl } from "./target.ts";

/** Milliseconds in which nothing comes. */
const idleTimeout = 300_000;
/** Of an answer's headers, in bytes: signed URLs and cookies of clouds outgrow Node's default. */
export const maxHeaderSize: number = 64 * 1024;

export interface ForwardParts {
  readonly connections: Connections;
  readonly judge: Judge;
  readonly capture: Capture;
  /** Told of what must fail the step, whatever becomes of its request. */
  readonly onBroken: (error: KilnError) => void;
}

/** Answers `request`, which is for `url`. Never rejects. */
export async function forward(
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
  parts: ForwardParts,
  call: Call,
): Promise<void> {
  const { capture } = parts;
  const method = request.method ?? "GET";
  let target: Target;
  try {
    target = await judged(method, url, parts.judge, call);
  } catch (error) {
    const why = isKilnError(error, "SOURCE_DENIED") ? error.message : "the policy cannot be asked";
    capture.request({ method, url: toldUrl(url), status: 403, why });
    refuse(response, 403, `Forbidden: ${why}`);
    return;
  }
  const told = toldUrl(target.url);
  let answer: IncomingMessage;
  try {
    answer = await ask(request, response, url, target, parts.connections);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    capture.request({ method, url: told, status: 502, why });
    capture.incomplete(method, told, "upstream_error");
    refuse(response, 502, `${told}: ${why}`);
    return;
  }
  const status = answer.statusCode ?? 502;
  const redirect = redirectOf(target.url, answer);
  capture.request({ method, url: told, status, ...(redirect === undefined ? {} : { redirect }) });
  await passBack(request, answer, response, target, parts);
}

async function passBack(
  request: IncomingMessage,
  answer: IncomingMessage,
  response: ServerResponse,
  { url, checksum }: Target,
  { capture, onBroken }: ForwardParts,
): Promise<void> {
  const told = toldUrl(url);
  const method = request.method ?? "GET";
  const status = answer.statusCode ?? 502;
  const whole = method === "GET" && status >= 200 && status < 300;
  const body = trackBody(told, whole ? checksum : undefined);
  try {
    response.writeHead(status, answer.statusMessage, passedOn(answer.rawHeaders));
    await pipeline(answer, body.stream, response);
  } catch (error) {
    answer.destroy();
    response.destroy();
    capture.incomplete(method, told, "body_read_failed");
    if (error instanceof WrongChecksum) onBroken(error);
    return;
  }
  const reason = incompleteReason(request, answer);
  if (reason !== undefined) capture.incomplete(method, told, reason);
  else if (whole) capture.material(told, body.digest());
}

function incompleteReason(
  { method, headers }: IncomingMessage,
  answer: IncomingMessage,
): IncompleteReason | undefined {
  const status = answer.statusCode ?? 0;
  if (method !== "GET") return "method_not_materializable";
  if (headers.range !== undefined || status === 206) return "partial_response";
  if (answer.headers["content-encoding"] !== undefined) return "response_transformed";
  return status >= 400 ? "unsuccessful_response" : undefined;
}

/** Sends the request on; resolves with the head of the answer. */
async function ask(
  request: IncomingMessage,
  response: ServerResponse,
  asked: URL,
  { url, checksum }: Target,
  connections: Connections,
): Promise<IncomingMessage> {
  const { protocol, ...route } = await connections.route(url, {});
  const { request: open } =
    protocol === "https:" ? await import("node:https") : await import("node:http");
  const hasBody =
    request.headers["transfer-encoding"] !== undefined ||
    Number(request.headers["content-length"] ?? 0) > 0;
  const outgoing = open({
    ...route,
    method: request.method,
    maxHeaderSize,
    headers: {
      ...passedOn(request.rawHeaders, dropped(asked, url, checksum !== undefined)),
      ...(request.headers["transfer-encoding"] === undefined
        ? {}
        : { "transfer-encoding": "chunked" }),
      host: url.host,
      ...route.headers,
    },
  });
  outgoing.setTimeout(idleTimeout, () => outgoing.destroy(new Error("no answer in time")));
  // Nobody is left who wants the answer.
  response.once("close", () => {
    if (!response.writableFinished) outgoing.destroy();
  });
  const answered = answerOf(outgoing);
  if (hasBody) pipeline(request, outgoing).catch((error: Error) => outgoing.destroy(error));
  else outgoing.end();
  return await answered;
}

/** Bodies come as they are, so that their digests are those of the files; a checksum is of the whole. */
function dropped(asked: URL, url: URL, pinned: boolean): ReadonlySet<string> {
  return new Set([
    "host",
    "accept-encoding",
    "expect",
    ...(pinned ? ["range", "if-range", "if-none-match", "if-modified-since"] : []),
    // What the step tells one server is nothing for another that the policy puts in its place.
    ...(asked.origin === url.origin ? [] : ["authorization", "cookie"]),
  ]);
}

function answerOf(outgoing: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    outgoing.once("response", resolve);
    // Stays on: errors after the answer has come must not become uncaught.
    outgoing.on("error", reject);
    outgoing.once("close", () => reject(new Error("the connection was cut")));
  });
}

function redirectOf(url: URL, { headers: { location }, statusCode = 0 }: IncomingMessage) {
  if (location === undefined || statusCode < 300 || statusCode >= 400) return undefined;
  return URL.canParse(location, url.href) ? toldUrl(new URL(location, url)) : undefined;
}

/** Answers in the place of a server. */
export function refuse(response: ServerResponse, status: number, why: string): void {
  if (response.headersSent || response.destroyed) return void response.destroy();
  const data = new TextEncoder().encode(`${why}\n`);
  // What is left of the request is not read.
  response.writeHead(status, {
    "content-type": "text/plain; charset=utf-8",
    "content-length": String(data.length),
    connection: "close",
  });
  response.end(data);
}
