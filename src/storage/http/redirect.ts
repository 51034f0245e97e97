// Where an answer sends its reader to.
import type { HttpResponse } from "./exchange.ts";

/** The next URL of a redirect that may be followed; undefined for any other answer. Credentials are the caller's care. */
export function redirectTarget(response: HttpResponse, method: string, from: URL): URL | undefined {
  const { location } = response.headers;
  if (![301, 302, 303, 307, 308].includes(response.status) || location === undefined)
    return undefined;
  const to = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  if (!to || (to.protocol !== "https:" && to.protocol !== "http:")) return undefined;
  // Nobody sends what is asked over https to be read by all.
  if (from.protocol === "https:" && to.protocol === "http:") return undefined;
  if (method === "GET" || method === "HEAD") return to;
  return (response.status === 307 || response.status === 308) && to.host === from.host
    ? to
    : undefined;
}
