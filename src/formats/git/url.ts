// Addresses of git repositories: URLs with a protocol, and the short form of ssh, `user@host:path`.
import { posix } from "node:path";

/** The parts of a repository's address. */
export interface GitUrl {
  /** In lower case: http, https, ssh or git. */
  readonly scheme: string;
  /** With the port, if one is given. */
  readonly host: string;
  /** Percent-encoding resolved; of the short form without a leading slash. */
  readonly path: string;
  /** `name` or `name:password` as written; undefined where there is none. */
  readonly user?: string;
  /** Values by name, in the order of the text. */
  readonly query: ReadonlyMap<string, readonly string[]>;
  /** What stands after `#`: `ref` or `ref:subdir`. */
  readonly fragment?: { readonly ref: string; readonly subdir: string };
  /** The address without query and fragment: what git is given. */
  readonly remote: string;
}

const protocols: ReadonlySet<string> = new Set(["http", "https", "ssh", "git"]);
const protocolPattern = /^([a-zA-Z0-9]+):\/\//;
const shortPattern = /^([a-zA-Z0-9\-_]+)@([a-zA-Z0-9\-.]+):([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/s;

/** True for what git itself would fetch: a known protocol, or ssh's short form. */
export function isGitTransport(text: string): boolean {
  const protocol = protocolPattern.exec(text)?.[1];
  return protocol === undefined ? shortPattern.test(text) : protocols.has(protocol.toLowerCase());
}

/** Reads a repository's address; a string says why it is none. */
export function parseGitUrl(text: string): GitUrl | string {
  const protocol = protocolPattern.exec(text)?.[1]?.toLowerCase();
  if (protocol === undefined) return parseShortForm(text);
  if (!protocols.has(protocol)) return `invalid protocol ${protocol}`;
  return parseLongForm(text, protocol);
}

/** Reads an address that has no protocol, such as `github.com/owner/name`. */
export function parseBareUrl(text: string): GitUrl | string {
  return parseLongForm(text, "");
}

function parseShortForm(text: string): GitUrl | string {
  const [, user, host, path, query, fragment] = shortPattern.exec(text) ?? [];
  if (user === undefined || host === undefined || path === undefined) return "unknown protocol";
  const values = parseQuery(query);
  if (typeof values === "string") return values;
  const remote = `${user}@${host}:${path}`;
  return { scheme: "ssh", host, path, user, query: values, ...fragmentOf(fragment), remote };
}

function parseLongForm(text: string, scheme: string): GitUrl | string {
  if (hasControl(text)) return "invalid control character in URL";
  const { before: address, after: fragment } = cut(text, "#");
  const { before: base, after: query } = cut(address, "?");
  const start = scheme === "" ? 0 : scheme.length + 3;
  const slash = scheme === "" ? -1 : base.indexOf("/", start);
  const authority = scheme === "" ? "" : base.slice(start, slash === -1 ? undefined : slash);
  const rawPath = scheme === "" ? base : slash === -1 ? "" : base.slice(slash);
  const at = authority.lastIndexOf("@");
  const host = authority.slice(at + 1);
  const path = decodePercent(rawPath);
  const decoded = fragment === undefined ? undefined : decodePercent(fragment);
  const values = parseQuery(query);
  if (path === undefined || (fragment !== undefined && decoded === undefined)) {
    return "invalid URL escape";
  }
  if (typeof values === "string") return values;
  if (!isHost(host)) return "invalid host or port";
  return {
    scheme,
    host,
    path,
    ...(at === -1 ? {} : { user: authority.slice(0, at) }),
    query: values,
    ...fragmentOf(decoded),
    // Written anew: the protocol in lower case, and escaped what must not stand in a path.
    remote:
      scheme === ""
        ? escapePath(rawPath, path)
        : `${scheme}://${authority}${escapePath(rawPath, path)}`,
  };
}

function fragmentOf(fragment: string | undefined): Pick<GitUrl, "fragment"> {
  if (fragment === undefined || fragment === "") return {};
  const { before: ref, after: subdir = "" } = cut(fragment, ":");
  return { fragment: { ref, subdir: insideRepository(subdir) } };
}

/** Clean, and never above the repository; "" is all of it. */
function insideRepository(subdir: string): string {
  return posix.normalize(`/${subdir}`).replace(/^\/|\/$/g, "");
}

/** `a=1&b` into values by name; a string says what is wrong. */
function parseQuery(query: string | undefined): ReadonlyMap<string, readonly string[]> | string {
  const values = new Map<string, string[]>();
  for (const pair of (query ?? "").split("&")) {
    // Go drops pairs with a semicolon or a broken escape.
    if (pair === "" || pair.includes(";")) continue;
    const { before, after = "" } = cut(pair, "=");
    const name = decodePercent(before.replaceAll("+", " "));
    const value = decodePercent(after.replaceAll("+", " "));
    if (name === undefined || value === undefined) continue;
    const known = values.get(name);
    if (known) known.push(value);
    else values.set(name, [value]);
  }
  return values;
}

function isHost(host: string): boolean {
  const port = /:([^:\]]*)$/.exec(host)?.[1];
  if (host.startsWith("[")) return /^\[[^\]]*\](:[0-9]*)?$/.test(host);
  return !/[\s"<>[\]\\^`{|}]/.test(host) && (port === undefined || /^[0-9]*$/.test(port));
}

function cut(text: string, sign: string): { before: string; after: string | undefined } {
  const at = text.indexOf(sign);
  if (at === -1) return { before: text, after: undefined };
  return { before: text.slice(0, at), after: text.slice(at + sign.length) };
}

function decodePercent(text: string): string | undefined {
  if (!text.includes("%")) return text;
  if (/%(?![0-9a-fA-F]{2})/.test(text)) return undefined;
  try {
    return decodeURIComponent(text);
  } catch {
    // Escapes of bytes that are not UTF-8.
    return undefined;
  }
}

function hasControl(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (char < 0x20 || char === 0x7f) return true;
  }
  return false;
}

/** The path as it was written, or, when it holds what a URL may not, with everything escaped that can be (Go's net/url). */
function escapePath(raw: string, path: string): string {
  if (/^[A-Za-z0-9\-_.~!$&'()*+,;=:@[\]%/]*$/.test(raw)) return raw;
  return encodeURIComponent(path)
    .replace(/%(24|26|2B|2C|2F|3A|3B|3D|40)/g, (code) => decodeURIComponent(code))
    .replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}
