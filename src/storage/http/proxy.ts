// Which proxy a host is reached through: HTTP_PROXY, HTTPS_PROXY and NO_PROXY, read as Go's net/http reads them.
import { BlockList, isIP } from "node:net";
import { KilnError } from "../../base/index.ts";
import { isLoopback, splitPort } from "./host-name.ts";
import { isSocks } from "./socks.ts";

/** Environment variables, as `process.env` has them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The proxy for `url`, or undefined to connect directly. Loopback is never proxied. Throws `CONFIG_INVALID`. */
export function proxyFor(url: URL, environment: Environment): URL | undefined {
  const name = url.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY";
  const value = environment[name] || environment[name.toLowerCase()];
  if (!value || isLoopback(url.hostname)) return undefined;
  const exceptions = environment["NO_PROXY"] || environment["no_proxy"] || "";
  return isExcepted(url, exceptions) ? undefined : parseProxy(value, name);
}

function parseProxy(value: string, name: string): URL {
  const withScheme = value.includes("://") ? value : `http://${value}`;
  const url = URL.canParse(withScheme) ? new URL(withScheme) : undefined;
  const web = url?.protocol === "http:" || url?.protocol === "https:";
  if (url?.hostname && (web || isSocks(url))) return url;
  throw new KilnError("CONFIG_INVALID", `${name}: not the URL of an http, https or SOCKS 5 proxy`, {
    hint: `Set ${name} to a URL such as http://proxy.example:3128 or socks5://proxy.example:1080, or unset it.`,
  });
}

function isExcepted(url: URL, exceptions: string): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, "").toLowerCase();
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  return exceptions
    .split(",")
    .map((entry) => entry.trim().toLowerCase())
    .filter(Boolean)
    .some((entry) => matches(entry, host, port));
}

function matches(entry: string, host: string, port: string): boolean {
  if (entry === "*") return true;
  if (entry.includes("/")) return isInRange(host, entry);
  const { name, port: wantedPort } = splitPort(entry);
  if (wantedPort !== undefined && wantedPort !== port) return false;
  const bare = name.replace(/^\[|\]$/g, "");
  if (isIP(bare)) return bare === host;
  // "example.com" and "*.example.com" cover what is below; ".example.com" covers only what is below.
  const suffix = bare.replace(/^\*?\.?/, ".");
  return host.endsWith(suffix) || (!/^[*.]/.test(bare) && host === bare);
}

function isInRange(host: string, range: string): boolean {
  const [network = "", bits = ""] = range.split("/");
  const family = isIP(network);
  if (family === 0 || isIP(host) !== family || !/^\d{1,3}$/.test(bits)) return false;
  if (Number(bits) > (family === 4 ? 32 : 128)) return false;
  const list = new BlockList();
  const type = family === 4 ? "ipv4" : "ipv6";
  list.addSubnet(network, Number(bits), type);
  return list.check(host, type);
}
