// A question that is answered with a short text, as services that lend credentials do.
import { type Call, isRecord, KilnError } from "../../base/index.ts";
import { Backoff, type Patience } from "./backoff.ts";
import { Connections } from "./connection.ts";
import type { ExchangeTimeouts, HttpRequest } from "./exchange.ts";
import { failureWords, NetworkFailure } from "./network-error.ts";

/** Bytes of an answer. */
const maxAnswer = 256 * 1024;

/** For services on this machine or next door, which are there at once or not at all: milliseconds. */
export const nearbyService: ExchangeTimeouts & Patience = {
  connectTimeout: 1000,
  idleTimeout: 2000,
  retryBudget: 1500,
  retryDelay: 100,
};
/** For services elsewhere: milliseconds. */
export const farawayService: ExchangeTimeouts & Patience = {
  connectTimeout: 10_000,
  idleTimeout: 30_000,
  retryBudget: 30_000,
  retryDelay: 250,
};

export interface Question {
  /** What is being done, for messages. */
  readonly doing: string;
  /** `nearbyService` goes around proxies: nothing that is next door is behind one. */
  readonly patience: ExchangeTimeouts & Patience;
  readonly connections: Connections;
  /** What the answer of a failure says of it, briefly; "" for nothing. */
  readonly reason: (answer: string) => string;
}

/**
 * The answer's text, asked for again while the failure may pass. Redirects are not followed: they could carry a token
 * elsewhere. Throws `CACHE_FAILED` for statuses other than 2xx and where nobody answers.
 */
export async function askText(
  request: HttpRequest,
  { doing, patience, connections, reason }: Question,
  call: Call,
): Promise<string> {
  using direct = patience === nearbyService ? new Connections({}) : undefined;
  const backoff = new Backoff(patience);
  const fail = (why: string, cause?: unknown) =>
    new KilnError("CACHE_FAILED", `${doing}: ${why}`, { cause });
  for (;;) {
    try {
      const response = await (direct ?? connections).send(request, {}, patience, call);
      const { status } = response;
      const text = new TextDecoder().decode(await response.readUpTo(maxAnswer, call));
      if (status >= 200 && status < 300) return text;
      if (await backoff.afterStatus(status, undefined, call)) continue;
      const why = reason(text);
      throw fail(`${request.url.host} answered with status ${status}${why && ` (${why})`}`);
    } catch (error) {
      if (!(error instanceof NetworkFailure)) throw error;
      if (await backoff.afterFailure(error, call)) continue;
      throw fail(`${request.url.host}: ${failureWords(error)}`, error);
    }
  }
}

/** The members of an answer that is a JSON object; none of what is no such thing. */
export function answerMembers(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : {};
  } catch {
    return {};
  }
}
