// A download that goes on where the connection was cut, while the server still has the same file.
import type { Bytes, Call } from "../../../base/index.ts";
import {
  Backoff,
  type HttpResponse,
  NetworkFailure,
  type Patience,
} from "../../../storage/http/index.ts";

export interface ResumeOptions {
  readonly patience: Patience;
  /** Sends the request anew with further headers. */
  again(headers: Readonly<Record<string, string>>): Promise<HttpResponse>;
}

/**
 * The whole body. Throws the `NetworkFailure` that cut it where the file cannot be told from a changed one, the server
 * does not send parts, or patience is at its end.
 */
export async function* resumedBody(
  response: HttpResponse,
  { patience, again }: ResumeOptions,
  call: Call,
): Bytes {
  const { etag } = response.headers;
  const backoff = new Backoff(patience);
  let seen = 0;
  let part: HttpResponse | undefined = response;
  let cut: NetworkFailure | undefined;
  for (;;) {
    try {
      part ??= await again({ range: `bytes=${seen}-`, "if-range": etag ?? "" });
      if (cut === undefined || continues(part, seen)) {
        for await (const chunk of part.body(call)) {
          seen += chunk.length;
          backoff.moved();
          yield chunk;
        }
        return;
      }
    } catch (error) {
      // A weak tag does not promise the same bytes (RFC 9110, 8.8.1).
      const same = etag !== undefined && !etag.startsWith("W/") && seen > 0;
      if (!(error instanceof NetworkFailure) || !same) throw error;
      if (!(await backoff.afterFailure(error, call))) throw error;
      part = undefined;
      cut = error;
      continue;
    }
    // Another file by now, or a server that knows no parts: to be begun anew, like after any cut.
    part.discard();
    throw cut;
  }
}

function continues({ status, headers }: HttpResponse, offset: number): boolean {
  return status === 206 && (headers["content-range"] ?? "").startsWith(`bytes ${offset}-`);
}
