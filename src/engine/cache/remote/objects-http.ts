// Requests to stores of objects: tried again with patience, failures in words.
import { type Bytes, type Call, KilnError } from "../../../base/index.ts";
import {
  Backoff,
  Connections,
  failureWords,
  type HttpRequest,
  type HttpResponse,
  NetworkFailure,
  type RequestBody,
} from "../../../storage/http/index.ts";

export interface ObjectRequest {
  readonly method: HttpRequest["method"];
  readonly url: URL;
  /** Asked for each attempt: signatures hold the time. */
  headers(): Readonly<Record<string, string>>;
  readonly body?: RequestBody;
  /** What we are doing, for messages. */
  readonly doing: string;
  /** Attempts at most; the patience of all requests where absent. */
  readonly attempts?: number;
  /** Statuses that are answers besides 2xx. */
  readonly expected?: readonly number[];
}

export interface ObjectsHttp {
  /** Throws `CACHE_FAILED` for any other status, and where nobody answers. */
  send(request: ObjectRequest, call: Call): Promise<HttpResponse>;
}

const limits = {
  connectTimeout: 30_000,
  idleTimeout: 60_000,
  retryBudget: 120_000,
  retryDelay: 500,
};
const maxError = 16 * 1024;

export function createObjectsHttp(
  connections: Connections = new Connections(),
  patience: Partial<typeof limits> = {},
): ObjectsHttp {
  const own = { ...limits, ...patience };
  return {
    async send({ headers, doing, attempts = Infinity, expected = [], ...request }, call) {
      const backoff = new Backoff(own);
      for (let attempt = 1; ; attempt++) {
        let response: HttpResponse;
        try {
          response = await connections.send({ ...request, headers: headers() }, {}, own, call);
        } catch (error) {
          if (!(error instanceof NetworkFailure)) throw error;
          if (attempt < attempts && (await backoff.afterFailure(error, call))) continue;
          throw new KilnError(
            "CACHE_FAILED",
            `${doing}: ${request.url.host}: ${failureWords(error)}`,
            {
              cause: error,
            },
          );
        }
        const { status } = response;
        if ((status >= 200 && status < 300) || expected.includes(status)) return response;
        const retryAfter = response.headers["retry-after"];
        if (attempt < attempts && (await backoff.afterStatus(status, retryAfter, call))) {
          response.discard();
          continue;
        }
        throw await failure(response, doing, call);
      }
    },
  };
}

/** Without queries: they hold signatures. */
async function failure(response: HttpResponse, doing: string, call: Call): Promise<KilnError> {
  const { url, status } = response;
  const said = new TextDecoder().decode(await response.readUpTo(maxError, call));
  const [, code = ""] = /<Code>([^<]{1,100})<\/Code>/.exec(said) ?? [];
  const [, message = ""] = /<Message>([^<]{1,300})/.exec(said) ?? [];
  const words = [code, message].filter(Boolean).join(": ").replace(/\s+/g, " ");
  const where = `${url.protocol}//${url.host}${url.pathname}`;
  return new KilnError(
    "CACHE_FAILED",
    `${doing}: ${where} answered with status ${status}${words ? ` (${words})` : ""}`,
    { details: { status } },
  );
}

/** A body of known bytes. */
export function bytesBody(data: Uint8Array): RequestBody {
  return {
    size: data.length,
    async *open(): Bytes {
      yield data;
    },
  };
}
