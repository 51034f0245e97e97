// Requests to one bucket, signed as whoever the attributes, or else the environment, say this is.
import { createHash } from "node:crypto";
import type { Attrs } from "../../../api/index.ts";
import type { Call } from "../../../base/index.ts";
import {
  type AwsIdentity,
  awsRegion,
  createAwsIdentity,
  encodeAws,
  s3Endpoint,
  signAws,
} from "../../../storage/aws/index.ts";
import type { HttpResponse } from "../../../storage/http/index.ts";
import { badCacheAttribute, cacheFlag } from "./attributes.ts";
import type { ObjectRequest } from "./objects-http.ts";
import type { S3Options } from "./s3-backend.ts";

export interface S3Request extends Pick<ObjectRequest, "method" | "body" | "doing" | "expected"> {
  /** The object's. */
  readonly key: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Further headers, lower-case. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Hexadecimal SHA-256 of the body; absent for none. */
  readonly payload?: string;
}

export interface S3Client {
  readonly bucket: string;
  /** Throws `CACHE_FAILED`. */
  send(request: S3Request, call: Call): Promise<HttpResponse>;
}

const emptyHash = createHash("sha256").digest("hex");

/** Throws `FLAG_INVALID` for attributes that cannot be obeyed. */
export function createS3Client(attrs: Attrs, bucket: string, options: S3Options): S3Client {
  const { http, now, env } = options;
  const region = attrs["region"] || awsRegion(env);
  if (!region) throw badCacheAttribute("region", "cache type s3 needs it");
  const base = bucketUrl(attrs, env, bucket, region);
  const identity = identityOf(attrs, options);
  const attempts = retries(attrs);
  return {
    bucket,
    async send({ key, query = {}, payload = emptyHash, headers = {}, ...request }, call) {
      const url = new URL(`${base.pathname.replace(/\/$/, "")}/${encodeKey(key)}`, base);
      url.search = Object.entries(query)
        .map(([name, value]) => `${encodeAws(name)}=${encodeAws(value)}`)
        .join("&");
      const keys = await identity.keys(call);
      const signed = { method: request.method, url, payload, service: "s3", region, keys } as const;
      const sign = () => signAws({ ...signed, headers, now: now() });
      return await http.send({ ...request, ...attempts, url, headers: sign }, call);
    },
  };
}

function bucketUrl(attrs: Attrs, env: S3Options["env"], bucket: string, region: string): URL {
  const endpoint = attrs["endpoint_url"] ?? s3Endpoint(env);
  if (!endpoint) return new URL(`https://${bucket}.s3.${region}.amazonaws.com/`);
  if (!URL.canParse(endpoint)) throw badCacheAttribute(`endpoint_url=${endpoint}`, "it is no URL");
  const url = new URL(endpoint);
  if (cacheFlag(attrs, "use_path_style", false)) {
    url.pathname = `${url.pathname.replace(/\/$/, "")}/${bucket}/`;
    return url;
  }
  url.hostname = `${bucket}.${url.hostname}`;
  return url;
}

/** The attributes' keys; else whoever the environment, the profiles or the machine say this is. */
function identityOf(attrs: Attrs, { env, now }: S3Options): AwsIdentity {
  const { access_key_id: id, secret_access_key: secret, session_token: token } = attrs;
  if (id && secret) {
    const keys = { id, secret, token, expires: undefined };
    return { keys: async () => keys };
  }
  if (!id && !secret) return createAwsIdentity({ now, ...(env ? { env } : {}) });
  throw badCacheAttribute("access_key_id", "it goes with secret_access_key");
}

/** `adaptive` waits longer where a store is busy, as all requests here do. */
function retries(attrs: Attrs): { readonly attempts?: number } {
  const { retry_mode: mode = "standard", retry_max_attempts: most } = attrs;
  if (mode !== "standard" && mode !== "adaptive")
    throw badCacheAttribute(`retry_mode=${mode}`, "expected standard or adaptive");
  // Always so: nothing here asks for an encoding.
  cacheFlag(attrs, "disable_accept_encoding", false);
  // As AWS's own clients, 0 sets no limit.
  if (most === undefined || most === "0") return {};
  return { attempts: positiveNumber(attrs, "retry_max_attempts", 3) };
}

/** A whole number from 1 to 999. */
export function positiveNumber(attrs: Attrs, name: string, absent: number): number {
  const text = attrs[name];
  if (text === undefined) return absent;
  if (/^[1-9]\d{0,2}$/.test(text)) return Number(text);
  throw badCacheAttribute(`${name}=${text}`, "expected a positive number");
}

/** Slashes stay. */
function encodeKey(key: string): string {
  return key.split("/").map(encodeAws).join("/");
}
