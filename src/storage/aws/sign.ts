// AWS signature version 4: the headers that make a request somebody's.
import { createHash, createHmac } from "node:crypto";

/** An identity; `token` is there for those that are lent for a time. */
export interface SigningKeys {
  readonly id: string;
  readonly secret: string;
  readonly token: string | undefined;
}

export interface SignedRequest {
  readonly method: string;
  /** The path as it is sent, which is signed as it is; queries are signed in the order of their names. */
  readonly url: URL;
  /** Hexadecimal SHA-256 of the body. */
  readonly payload: string;
  readonly service: "s3" | "sts";
  readonly region: string;
  /** Without keys the request goes out unsigned, as public buckets take it. */
  readonly keys: SigningKeys | undefined;
  /** Further headers, lower-case, that are sent and signed. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly now: Date;
}

/** All headers to send, besides `host`. */
export function signAws(request: SignedRequest): Readonly<Record<string, string>> {
  const { method, url, payload, service, region, keys, headers: more = {}, now } = request;
  if (!keys) return more;
  const time = now.toISOString().replace(/[-:]|\.\d{3}/g, "");
  const day = time.slice(0, 8);
  const headers: Record<string, string> = {
    ...more,
    host: url.host,
    "x-amz-content-sha256": payload,
    "x-amz-date": time,
    ...(keys.token ? { "x-amz-security-token": keys.token } : {}),
  };
  const names = Object.keys(headers).sort();
  const canonical = [
    method,
    url.pathname,
    canonicalQuery(url),
    ...names.map((name) => `${name}:${headers[name]?.trim()}`),
    "",
    names.join(";"),
    payload,
  ].join("\n");
  const scope = `${day}/${region}/${service}/aws4_request`;
  const hash = createHash("sha256").update(canonical).digest("hex");
  const hmac = (key: string | Uint8Array, text: string) =>
    createHmac("sha256", key).update(text).digest();
  const key = [region, service, "aws4_request"].reduce(hmac, hmac(`AWS4${keys.secret}`, day));
  const signature = createHmac("sha256", key)
    .update(`AWS4-HMAC-SHA256\n${time}\n${scope}\n${hash}`)
    .digest("hex");
  const { host: _, ...sent } = headers;
  return {
    ...sent,
    authorization: `AWS4-HMAC-SHA256 Credential=${keys.id}/${scope}, SignedHeaders=${names.join(";")}, Signature=${signature}`,
  };
}

function canonicalQuery({ searchParams }: URL): string {
  return [...searchParams]
    .map(([name, value]) => `${encodeAws(name)}=${encodeAws(value)}`)
    .sort()
    .join("&");
}

/** As signatures want it: everything but letters, digits and `-._~`. */
export function encodeAws(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
