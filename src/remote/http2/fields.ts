// What header blocks must look like to be messages (RFC 9113, 8.2 and 8.3).
import type { Fields } from "./protocol.ts";

/** What belongs to a connection has no place in HTTP/2; `te` may say `trailers` only. */
const ofConnection = new Set([
  "connection",
  "proxy-connection",
  "keep-alive",
  "transfer-encoding",
  "upgrade",
]);

const requestPseudo = new Set([":method", ":scheme", ":authority", ":path"]);
const responsePseudo = new Set([":status"]);
const none: ReadonlySet<string> = new Set();

/** Lower-case tokens. */
const name = /^:?[!#$%&'*+\-.^_`|~0-9a-z]+$/;
const badValue = /[\0\r\n]|^[ \t]|[ \t]$/;

/** The value of the field that comes first under a name. */
export function fieldOf(fields: Fields, wanted: string): string | undefined {
  for (let at = 0; at < fields.length; at += 2) if (fields[at] === wanted) return fields[at + 1];
  return undefined;
}

/** What is wrong with a request's fields; undefined where nothing is. */
export function faultOfRequest(fields: Fields): string | undefined {
  const fault = faultOf(fields, requestPseudo);
  if (fault !== undefined) return fault;
  const method = fieldOf(fields, ":method");
  if (method === undefined) return "no method";
  if (method === "CONNECT") return undefined;
  if (fieldOf(fields, ":scheme") === undefined) return "no scheme";
  return fieldOf(fields, ":path") ? undefined : "no path";
}

export function faultOfResponse(fields: Fields): string | undefined {
  const fault = faultOf(fields, responsePseudo);
  if (fault !== undefined) return fault;
  return /^[1-9]\d\d$/.test(fieldOf(fields, ":status") ?? "") ? undefined : "no status";
}

export function faultOfTrailers(fields: Fields): string | undefined {
  return faultOf(fields, none);
}

function faultOf(fields: Fields, pseudo: ReadonlySet<string>): string | undefined {
  const seen = new Set<string>();
  let regular = false;
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const key = fields[at] as string;
    const value = fields[at + 1] as string;
    if (!name.test(key)) return `a field's name ${JSON.stringify(key)}`;
    if (badValue.test(value)) return `the value of ${key}`;
    if (key.startsWith(":")) {
      if (regular || seen.has(key) || !pseudo.has(key)) return `${key} out of place`;
      seen.add(key);
      continue;
    }
    regular = true;
    if (ofConnection.has(key) || (key === "te" && value !== "trailers")) return key;
  }
  return undefined;
}
