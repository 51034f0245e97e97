// Judging the network: proxies, whether a registry answers, and the clock by what it answers.
import { type Call, isAbortError } from "../../base/index.ts";
import { Connections, failureWords, NetworkFailure, proxyFor } from "../../storage/http/index.ts";
import type { Finding } from "./finding.ts";

const timeouts = { connectTimeout: 5000, idleTimeout: 5000 };
/** Tokens and certificates are refused by clocks that are off by more, in milliseconds. */
const tolerated = 60_000;

export interface NetworkQuestion {
  /** A registry's address, such as `https://registry-1.docker.io/v2/`. */
  readonly url: URL;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly now: () => Date;
}

/** Asks one registry; at most ten seconds. A machine without a network can still build from what it has. */
export async function judgeNetwork(
  { url, environment, now }: NetworkQuestion,
  call: Call,
): Promise<readonly Finding[]> {
  const proxy = proxyFor(url, environment);
  const proxies: Finding = {
    id: "proxy",
    group: "network",
    title: "Proxy",
    status: "info",
    found: proxy === undefined ? `none for ${url.host}` : `${proxy.host} for ${url.host}`,
  };
  const base = { id: "registry", group: "network", title: "Registry" } as const;
  using connections = new Connections(environment);
  try {
    const answer = await connections.send({ method: "GET", url, headers: {} }, {}, timeouts, call);
    answer.discard();
    const date = Date.parse(answer.headers.date ?? "");
    const good = answer.status === 200 || answer.status === 401;
    return [
      proxies,
      {
        ...base,
        status: good ? "ok" : "warning",
        found: `${url.host} answers${good ? "" : ` with status ${answer.status}`}`,
      },
      ...(Number.isNaN(date) ? [] : [clock(now().getTime() - date, url)]),
    ];
  } catch (error) {
    if (isAbortError(error) && call.signal.aborted) throw error;
    return [
      proxies,
      {
        ...base,
        status: "warning",
        found: `${url.host} does not answer: ${wordsOf(error)}`,
        consequence: "images of that registry cannot be fetched",
        advice: "Set HTTPS_PROXY where there is a proxy; configure a mirror in kiln.toml.",
      },
    ];
  }
}

function wordsOf(error: unknown): string {
  return error instanceof NetworkFailure ? failureWords(error) : String(error);
}

/** `ahead` is how far this machine's clock is before the registry's, in milliseconds. */
export function clock(ahead: number, { host }: URL): Finding {
  const base = { id: "clock", group: "network", title: "Clock" } as const;
  if (Math.abs(ahead) <= tolerated) return { ...base, status: "ok", found: `agrees with ${host}` };
  const seconds = Math.round(Math.abs(ahead) / 1000);
  return {
    ...base,
    status: "warning",
    found: `${seconds} seconds ${ahead > 0 ? "ahead of" : "behind"} ${host}`,
    consequence: "tokens and certificates may be refused",
    fix: { commands: ["timedatectl set-ntp true"], root: true, harmless: false },
  };
}
