// Caches in Amazon S3 and what speaks its protocol (`type=s3`), with requests signed by signature version 4.
import { createHash, createHmac } from "node:crypto";
import type { Attrs } from "../../../api/index.ts";
import { digestHex } from "../../../base/index.ts";
import { maxCacheConfigSize } from "../../../formats/cacheconfig/index.ts";
import { badCacheAttribute, cacheFlag, requiredAttribute } from "./attributes.ts";
import type { CacheBackend } from "./backend.ts";
import { type CacheObjects, createObjectsBackend } from "./objects-backend.ts";
import { bytesBody, type ObjectsHttp } from "./objects-http.ts";

const attributes = [
  "access_key_id",
  "blobs_prefix",
  "bucket",
  "disable_accept_encoding",
  "endpoint_url",
  "manifests_prefix",
  "name",
  "prefix",
  "region",
  "retry_max_attempts",
  "retry_mode",
  "secret_access_key",
  "session_token",
  "touch_refresh",
  "upload_parallelism",
  "use_path_style",
];

export interface S3Options {
  readonly http: ObjectsHttp;
  readonly now: () => Date;
}

export function createS3Backend(options: S3Options): CacheBackend {
  return createObjectsBackend({
    type: "s3",
    attributes,
    place: ({ bucket = "", prefix = "", name = "buildkit" }) => `s3://${bucket}/${prefix}${name}`,
    open: (attrs) => openBucket(attrs, options),
    parallel(attrs) {
      const { upload_parallelism: text = "4" } = attrs;
      if (/^[1-9]\d{0,2}$/.test(text)) return Number(text);
      throw badCacheAttribute(`upload_parallelism=${text}`, "expected a positive number");
    },
  });
}

interface Keys {
  readonly id: string;
  readonly secret: string;
  readonly token: string | undefined;
}

function openBucket(attrs: Attrs, { http, now }: S3Options): CacheObjects {
  const bucket = requiredAttribute("s3", attrs, "bucket");
  const region = requiredAttribute("s3", attrs, "region");
  const base = bucketUrl(attrs, bucket, region);
  const keys = readKeys(attrs);
  const {
    prefix = "",
    blobs_prefix: blobs = "blobs/",
    manifests_prefix: manifests = "manifests/",
  } = attrs;
  const names = (attrs["name"] ?? "buildkit").split(";").filter(Boolean);
  const at = (key: string) =>
    new URL(`${base.pathname.replace(/\/$/, "")}/${encodeKey(key)}`, base);
  const blobAt = (digest: string) => at(`${prefix}${blobs}${digest}`);
  const headers =
    (method: string, url: URL, payload: string): (() => Readonly<Record<string, string>>) =>
    () =>
      signS3({ method, url, payload, region, keys, now: now() });
  return {
    async hasBlob(digest, call) {
      const url = blobAt(digest);
      const request = { method: "HEAD", url, headers: headers("HEAD", url, emptyHash) } as const;
      const doing = `looking for layer ${digest}`;
      const response = await http.send({ ...request, doing, expected: [404] }, call);
      response.discard();
      return response.status !== 404;
    },
    async *readBlob(digest, call) {
      const url = blobAt(digest);
      const request = { method: "GET", url, headers: headers("GET", url, emptyHash) } as const;
      yield* (await http.send({ ...request, doing: `reading layer ${digest}` }, call)).body(call);
    },
    async writeBlob(digest, size, data, call) {
      const url = blobAt(digest);
      const response = await http.send(
        {
          method: "PUT",
          url,
          headers: headers("PUT", url, digestHex(digest)),
          body: { size, open: data },
          doing: `writing layer ${digest}`,
        },
        call,
      );
      response.discard();
    },
    async readConfigs(call) {
      const url = at(`${prefix}${manifests}${names[0] ?? "buildkit"}`);
      const request = { method: "GET", url, headers: headers("GET", url, emptyHash) } as const;
      const doing = `reading the cache of bucket ${bucket}`;
      const response = await http.send({ ...request, doing, expected: [404] }, call);
      if (response.status !== 404)
        return [new TextDecoder().decode(await response.readUpTo(maxCacheConfigSize, call))];
      response.discard();
      return [];
    },
    async writeConfig(data, call) {
      const payload = createHash("sha256").update(data).digest("hex");
      for (const name of names) {
        const url = at(`${prefix}${manifests}${name}`);
        const request = { method: "PUT", url, headers: headers("PUT", url, payload) } as const;
        const doing = `writing the cache ${name} to bucket ${bucket}`;
        (await http.send({ ...request, body: bytesBody(data), doing }, call)).discard();
      }
    },
  };
}

function bucketUrl(attrs: Attrs, bucket: string, region: string): URL {
  const { endpoint_url: endpoint } = attrs;
  if (endpoint === undefined) return new URL(`https://${bucket}.s3.${region}.amazonaws.com/`);
  let url: URL;
  try {
    url = new URL(endpoint);
  } catch {
    throw badCacheAttribute(`endpoint_url=${endpoint}`, "it is no URL");
  }
  if (cacheFlag(attrs, "use_path_style", false)) {
    url.pathname = `${url.pathname.replace(/\/$/, "")}/${bucket}/`;
    return url;
  }
  url.hostname = `${bucket}.${url.hostname}`;
  return url;
}

function readKeys(attrs: Attrs): Keys | undefined {
  const { access_key_id: id, secret_access_key: secret, session_token: token } = attrs;
  if (id && secret) return { id, secret, token };
  if (!id && !secret) return undefined;
  throw badCacheAttribute("access_key_id", "it goes with secret_access_key");
}

const emptyHash = createHash("sha256").digest("hex");

/** As signatures want it: everything but letters, digits, `-._~` and slashes. */
function encodeKey(key: string): string {
  return key.split("/").map(encodeSegment).join("/");
}

function encodeSegment(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

export interface S3Request {
  readonly method: string;
  readonly url: URL;
  /** Hexadecimal SHA-256 of the body. */
  readonly payload: string;
  readonly region: string;
  /** Without keys the request goes out unsigned, as public buckets take it. */
  readonly keys: Keys | undefined;
  readonly now: Date;
}

/** Headers of a request without a query: AWS signature version 4. */
export function signS3(request: S3Request): Readonly<Record<string, string>> {
  const { method, url, payload, region, keys, now } = request;
  if (!keys) return {};
  const time = now.toISOString().replace(/[-:]|\.\d{3}/g, "");
  const day = time.slice(0, 8);
  const headers: Record<string, string> = {
    host: url.host,
    "x-amz-content-sha256": payload,
    "x-amz-date": time,
    ...(keys.token ? { "x-amz-security-token": keys.token } : {}),
  };
  const names = Object.keys(headers).sort();
  const canonical = [
    method,
    url.pathname,
    "",
    ...names.map((name) => `${name}:${headers[name]}`),
    "",
    names.join(";"),
    payload,
  ].join("\n");
  const scope = `${day}/${region}/s3/aws4_request`;
  const hash = createHash("sha256").update(canonical).digest("hex");
  const hmac = (key: string | Uint8Array, text: string) =>
    createHmac("sha256", key).update(text).digest();
  const key = [region, "s3", "aws4_request"].reduce(hmac, hmac(`AWS4${keys.secret}`, day));
  const signature = createHmac("sha256", key)
    .update(`AWS4-HMAC-SHA256\n${time}\n${scope}\n${hash}`)
    .digest("hex");
  const { host: _, ...sent } = headers;
  return {
    ...sent,
    authorization: `AWS4-HMAC-SHA256 Credential=${keys.id}/${scope}, SignedHeaders=${names.join(";")}, Signature=${signature}`,
  };
}
