// What a step asks for, as a URL, and what becomes of it under the build's source policy.
import type { NamedSource } from "../../api/index.ts";
import { type Call, type Digest, KilnError, parseDigest } from "../../base/index.ts";

/** Of a URL, in characters. */
const maxUrl = 32 * 1024;

/** The place that a tunnel is for. */
export interface Authority {
  readonly host: string;
  readonly port: number;
}

/** `host:port` as CONNECT has it; undefined for anything else. */
export function parseAuthority(text: string): Authority | undefined {
  const match = /^(\[[0-9a-f:.]+\]|[^\s/?#@\\[\]:]+):(\d{1,5})$/i.exec(text);
  const port = Number(match?.[2]);
  if (!match?.[1] || port < 1 || port > 65_535) return undefined;
  // As URLs write it: lower case, punycode, addresses in one form.
  const url = parseUrl(`http://${match[1]}:${port}/`);
  return url ? { host: url.hostname, port } : undefined;
}

/** The URL of a request: within a tunnel of that authority, else in absolute form or by its Host. */
export function urlOf(
  path: string,
  host: string | undefined,
  tunnel?: { readonly scheme: "http" | "https"; readonly authority: Authority },
): URL | undefined {
  if (tunnel) {
    const { scheme, authority } = tunnel;
    const origin = `${scheme}://${authority.host}:${authority.port}`;
    return path.startsWith("/") ? parseUrl(origin + path) : undefined;
  }
  if (!path.startsWith("/")) return parseUrl(path);
  // Without a host the parser would take the path for one.
  return host ? parseUrl(`http://${host}${path}`) : undefined;
}

function parseUrl(text: string): URL | undefined {
  if (text.length > maxUrl || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  const web = url.protocol === "http:" || url.protocol === "https:";
  if (!web || url.hostname === "") return undefined;
  url.hash = "";
  return url;
}

/** As logs and provenance have it. */
export function toldUrl(url: URL): string {
  if (url.username === "" && url.password === "") return url.href;
  const told = new URL(url);
  if (told.password !== "") told.password = "xxxxx";
  told.username = "xxxxx";
  return told.href;
}

/** Where a request goes, and what its answer must be. */
export interface Target {
  readonly url: URL;
  readonly checksum?: Digest;
}

export type Judge = (source: NamedSource, call: Call) => Promise<NamedSource>;

/** Throws `SOURCE_DENIED` for what the policy does not allow, or turns into something that a request cannot be. */
export async function judged(method: string, url: URL, judge: Judge, call: Call): Promise<Target> {
  const identifier = toldUrl(url);
  const decided = await judge({ identifier, attrs: {} }, call);
  const { "http.checksum": checksum, ...others } = decided.attrs;
  const moved = decided.identifier !== identifier;
  if (!moved && Object.keys(decided.attrs).length === 0) return { url };
  const refuse = (why: string) =>
    new KilnError("SOURCE_DENIED", `source ${JSON.stringify(identifier)}: ${why}`);
  if (method !== "GET" && (moved || method !== "HEAD"))
    throw refuse(`a source policy can change what GET asks for, not ${method}`);
  const [other] = Object.keys(others);
  if (other !== undefined) throw refuse(`a request cannot have the attribute ${other}`);
  const target = moved ? parseUrl(decided.identifier) : url;
  if (!target) throw refuse(`${decided.identifier} is not a URL that can be asked for`);
  if (checksum === undefined) return { url: target };
  try {
    return { url: target, checksum: parseDigest(checksum) };
  } catch {
    throw refuse(`the checksum ${checksum} is none`);
  }
}
