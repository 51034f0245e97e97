// The Debug Adapter Protocol's base: messages of JSON behind a header that says how long they are.
import { isRecord, KilnError } from "../../../base/index.ts";

/** What an editor asks. */
export interface DapRequest {
  readonly seq: number;
  readonly command: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

/** Bytes of a header and of a message; editors send little. */
const maxHeader = 8 << 10;
const maxBody = 16 << 20;

/** Requests as they come; messages of other types are passed over. Throws `REQUEST_INVALID` for what is no message. */
export async function* readRequests(bytes: AsyncIterable<Uint8Array>): AsyncIterable<DapRequest> {
  let held: Uint8Array = new Uint8Array();
  for await (const chunk of bytes) {
    held = concat(held, chunk);
    for (;;) {
      const found = nextMessage(held);
      if (!found) break;
      held = found.rest;
      const request = requestOf(found.body);
      if (request) yield request;
    }
  }
}

interface Found {
  readonly body: Uint8Array;
  readonly rest: Uint8Array;
}

function nextMessage(held: Uint8Array): Found | undefined {
  const end = headerEnd(held);
  if (end === undefined) {
    if (held.length > maxHeader) throw invalid("a header without an end");
    return undefined;
  }
  const header = new TextDecoder().decode(held.subarray(0, end));
  const length = Number(/^content-length: *(\d+)\r?$/im.exec(header)?.[1] ?? Number.NaN);
  if (!Number.isSafeInteger(length)) throw invalid("a header without a length");
  if (length > maxBody) throw invalid(`a message of more than ${maxBody} bytes`);
  const start = end + 4;
  if (held.length < start + length) return undefined;
  return { body: held.subarray(start, start + length), rest: held.slice(start + length) };
}

function headerEnd(held: Uint8Array): number | undefined {
  const last = Math.min(held.length - 4, maxHeader);
  for (let at = 0; at <= last; at++)
    if (held[at] === 13 && held[at + 1] === 10 && held[at + 2] === 13 && held[at + 3] === 10)
      return at;
  return undefined;
}

function requestOf(body: Uint8Array): DapRequest | undefined {
  let message: unknown;
  try {
    message = JSON.parse(new TextDecoder().decode(body));
  } catch (cause) {
    throw invalid("a message that is not JSON", cause);
  }
  if (!isRecord(message) || message["type"] !== "request") return undefined;
  const { seq, command, arguments: given } = message;
  if (typeof seq !== "number" || typeof command !== "string")
    throw invalid("a request without a number or a command");
  return { seq, command, arguments: isRecord(given) ? given : {} };
}

function invalid(what: string, cause?: unknown): KilnError {
  return new KilnError("REQUEST_INVALID", `the debug adapter was sent ${what}`, { cause });
}

function concat(one: Uint8Array, other: Uint8Array): Uint8Array {
  if (one.length === 0) return other;
  const both = new Uint8Array(one.length + other.length);
  both.set(one);
  both.set(other, one.length);
  return both;
}

/** A message as it goes over the wire. */
export function frameMessage(message: object): Uint8Array {
  const text = new TextEncoder();
  const body = text.encode(JSON.stringify(message));
  return concat(text.encode(`Content-Length: ${body.length}\r\n\r\n`), body);
}
