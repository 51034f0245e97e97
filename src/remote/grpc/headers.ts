// HTTP/2 headers to metadata and back, and the status in the trailers.
import { Buffer } from "node:buffer";
import { rpc } from "../../formats/proto/index.ts";
import type { Fields } from "../http2/index.ts";
import { StatusError, statusCodes } from "./status.ts";
import type { Metadata } from "./types.ts";

/**
 * nghttp2, which Node's own HTTP/2 is made of, drops headers with a value of more than 64 KiB, and with them the end of the call.
 * The largest details of a status that would not fit are left out, messages are cut.
 */
const maxDetailsSize = 48 << 10;
/** In characters; each may take 12 in the header. */
const maxMessageLength = 5 << 10;

/** From names and values in turns, as they came: repeated names keep all their values. */
export function metadataOf(rawHeaders: Fields): Map<string, readonly string[]> {
  const metadata = new Map<string, string[]>();
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string;
    if (name.startsWith(":")) continue;
    const values = metadata.get(name);
    const value = rawHeaders[at + 1] as string;
    if (values) values.push(value);
    else metadata.set(name, [value]);
  }
  return metadata;
}

/** What no header's value may have in it; one byte a character. */
const badValue = /[^\t\x20-\x7e\x80-\xff]/;

/** Throws `StatusError` for values that no header can carry. */
export function fieldsOf(metadata: Metadata): string[] {
  const fields: string[] = [];
  for (const [name, values] of metadata) {
    for (const value of values) {
      if (badValue.test(value))
        throw new StatusError(
          statusCodes.INTERNAL,
          `metadata ${name} has characters that no header carries`,
        );
      fields.push(name.toLowerCase(), value);
    }
  }
  return fields;
}

/** The trailers that say how a call ended; undefined is well. */
export function statusFields(status: StatusError | undefined): string[] {
  if (!status) return ["grpc-status", "0"];
  const { code } = status;
  const message = status.message.slice(0, maxMessageLength);
  const bytes = encodeDetails(code, message, status.details);
  const fields = ["grpc-status", String(code), "grpc-message", encodeMessage(message)];
  if (bytes)
    fields.push(
      "grpc-status-details-bin",
      Buffer.from(bytes).toString("base64").replaceAll("=", ""),
    );
  return fields;
}

/** Without the largest of the details, as long as they do not fit; undefined where none is left. */
function encodeDetails(
  code: number,
  message: string,
  all: StatusError["details"],
): Uint8Array | undefined {
  const details = all.map(({ typeUrl, value }) => ({ typeUrl, value }));
  while (details.length > 0) {
    const bytes = rpc.Status.encode(rpc.Status.create({ code, message, details })).finish();
    if (bytes.length <= maxDetailsSize) return bytes;
    const largest = details.reduce((a, b) => (b.value.length > a.value.length ? b : a));
    details.splice(details.indexOf(largest), 1);
  }
  return undefined;
}

/** How the trailers say that a call ended; undefined when they say well. */
export function statusOf(metadata: Metadata): StatusError | undefined {
  const text = metadata.get("grpc-status")?.[0];
  if (text === undefined || !/^\d{1,3}$/.test(text))
    return new StatusError(statusCodes.UNKNOWN, "the server ended the call without a status");
  const code = Number(text);
  if (code === statusCodes.OK) return undefined;
  const message = decodeMessage(metadata.get("grpc-message")?.[0] ?? "");
  const details = metadata.get("grpc-status-details-bin")?.[0];
  if (details === undefined) return new StatusError(code, message);
  try {
    return new StatusError(
      code,
      message,
      rpc.Status.decode(Buffer.from(details, "base64")).details,
    );
  } catch {
    // The code counts; details that cannot be read are as good as none.
    return new StatusError(code, message);
  }
}

/** Percent-encoded UTF-8, as grpc-message is. */
export function encodeMessage(text: string): string {
  let out = "";
  for (const byte of new TextEncoder().encode(text)) {
    const plain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    out += plain
      ? String.fromCharCode(byte)
      : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  // HTTP/2 knows no value with space around it: the whole header would be lost.
  return out.replace(/^ | $/g, "%20");
}

function decodeMessage(text: string): string {
  const bytes: number[] = [];
  for (let at = 0; at < text.length; at++) {
    const hex = text[at] === "%" ? /^[0-9A-Fa-f]{2}/.exec(text.slice(at + 1, at + 3)) : null;
    bytes.push(hex ? Number.parseInt(hex[0], 16) : text.charCodeAt(at) & 0xff);
    if (hex) at += 2;
  }
  return new TextDecoder().decode(Uint8Array.from(bytes));
}

const unitsInMs: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 0.001,
  n: 0.000001,
};

/** Milliseconds that `grpc-timeout` leaves; undefined without one. Throws `StatusError` for what is none. */
export function timeoutOf(metadata: Metadata): number | undefined {
  const text = metadata.get("grpc-timeout")?.[0];
  if (text === undefined) return undefined;
  const match = /^(\d{1,8})([HMSmun])$/.exec(text);
  if (!match)
    throw new StatusError(statusCodes.INTERNAL, `malformed grpc-timeout ${JSON.stringify(text)}`);
  return Number(match[1]) * (unitsInMs[match[2] as string] as number);
}
