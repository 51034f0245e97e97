// Caches in Amazon S3 and what speaks its protocol (`type=s3`).
import { createHash } from "node:crypto";
import type { Attrs } from "../../../api/index.ts";
import { digestHex, parseDuration } from "../../../base/index.ts";
import { maxCacheConfigSize } from "../../../formats/cacheconfig/index.ts";
import { badCacheAttribute, requiredAttribute } from "./attributes.ts";
import type { CacheBackend } from "./backend.ts";
import { type CacheObjects, createObjectsBackend } from "./objects-backend.ts";
import { bytesBody, type ObjectsHttp } from "./objects-http.ts";
import { createS3Client, positiveNumber } from "./s3-client.ts";
import { touchObject, wholeLimit, writeInParts } from "./s3-parts.ts";

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
  /** Where regions, endpoints and keys are looked for that no attribute names; the process's own if left out. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

export function createS3Backend(options: S3Options): CacheBackend {
  return createObjectsBackend({
    type: "s3",
    attributes,
    place: ({ bucket = "", prefix = "", name = "buildkit" }) => `s3://${bucket}/${prefix}${name}`,
    open: (attrs) => openBucket(attrs, options),
    parallel: (attrs) => positiveNumber(attrs, "upload_parallelism", 4),
  });
}

function openBucket(attrs: Attrs, options: S3Options): CacheObjects {
  const bucket = requiredAttribute("s3", attrs, "bucket");
  const client = createS3Client(attrs, bucket, options);
  const {
    prefix = "",
    blobs_prefix: blobs = "blobs/",
    manifests_prefix: manifests = "manifests/",
  } = attrs;
  const names = (attrs["name"] ?? "buildkit").split(";").filter(Boolean);
  const blobKey = (digest: string) => `${prefix}${blobs}${digest}`;
  const refresh = touchAge(attrs);
  const { now } = options;
  /** When objects that were looked for were written. */
  const written = new Map<string, number>();
  return {
    async hasBlob(digest, call) {
      const doing = `looking for layer ${digest}`;
      const request = { method: "HEAD", key: blobKey(digest), doing, expected: [404] } as const;
      const response = await client.send(request, call);
      response.discard();
      written.set(digest, Date.parse(response.headers["last-modified"] ?? ""));
      return response.status !== 404;
    },
    async keepBlob(digest, size, call) {
      const age = now().getTime() - (written.get(digest) ?? Number.NaN);
      // Of an age that is not told nothing is known.
      if (age > refresh) await touchObject(client, blobKey(digest), size, call);
    },
    async *readBlob(digest, call) {
      const doing = `reading layer ${digest}`;
      const response = await client.send({ method: "GET", key: blobKey(digest), doing }, call);
      yield* response.body(call);
    },
    async writeBlob(digest, size, data, call) {
      const [key, doing] = [blobKey(digest), `writing layer ${digest}`];
      if (size > wholeLimit) return await writeInParts(client, { key, size, doing }, data, call);
      const body = { size, open: data };
      const payload = digestHex(digest);
      (await client.send({ method: "PUT", key, payload, body, doing }, call)).discard();
    },
    async readConfigs(call) {
      const key = `${prefix}${manifests}${names[0] ?? "buildkit"}`;
      const doing = `reading the cache of bucket ${bucket}`;
      const response = await client.send({ method: "GET", key, doing, expected: [404] }, call);
      if (response.status !== 404)
        return [new TextDecoder().decode(await response.readUpTo(maxCacheConfigSize, call))];
      response.discard();
      return [];
    },
    async writeConfig(data, call) {
      const payload = createHash("sha256").update(data).digest("hex");
      for (const name of names) {
        const key = `${prefix}${manifests}${name}`;
        const doing = `writing the cache ${name} to bucket ${bucket}`;
        const body = bytesBody(data);
        (await client.send({ method: "PUT", key, payload, body, doing }, call)).discard();
      }
    },
  };
}

/** Milliseconds after which an object that is still wanted is written anew, so that rules of the bucket do not remove it. */
function touchAge({ touch_refresh: text = "24h" }: Attrs): number {
  const age = parseDuration(text);
  if (age !== undefined && age >= 0) return age;
  throw badCacheAttribute(`touch_refresh=${text}`, "expected a duration like 24h");
}
