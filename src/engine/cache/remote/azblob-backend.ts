// Caches in Azure Blob Storage (`type=azblob`), with requests signed by the account's key, or by whoever this is to Azure.
import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import { posix } from "node:path";
import type { Attrs } from "../../../api/index.ts";
import { maxCacheConfigSize } from "../../../formats/cacheconfig/index.ts";
import { type AzureIdentity, createAzureIdentity } from "../../../storage/azure/index.ts";
import { isLoopback } from "../../../storage/http/index.ts";
import { badCacheAttribute, requiredAttribute } from "./attributes.ts";
import type { CacheBackend } from "./backend.ts";
import { type CacheObjects, createObjectsBackend } from "./objects-backend.ts";
import { bytesBody, type ObjectRequest, type ObjectsHttp } from "./objects-http.ts";

const attributes = [
  "account_name",
  "account_url",
  "blobs_prefix",
  "container",
  "manifests_prefix",
  "name",
  "prefix",
  "secret_access_key",
];

/** Version of the protocol: the first that takes blobs of several gigabytes at one go. */
const version = "2019-12-12";

export interface AzblobOptions {
  readonly http: ObjectsHttp;
  readonly now: () => Date;
  /** Whoever this is where no attribute says so; what the process's environment says where absent. */
  readonly identity?: AzureIdentity;
}

export function createAzblobBackend(options: AzblobOptions): CacheBackend {
  return createObjectsBackend({
    type: "azblob",
    attributes,
    place: ({ account_url: url = "", container = "buildkit-cache", name = "buildkit" }) =>
      `${url}/${container}/${name}`,
    open: (attrs, writes) => openContainer(attrs, writes, options),
    parallel: () => 4,
  });
}

function openContainer(attrs: Attrs, writes: boolean, options: AzblobOptions): CacheObjects {
  const { now } = options;
  const account = readAccount(attrs);
  const http = asWhoever(account, options);
  const { container = "buildkit-cache", prefix = "" } = attrs;
  const { blobs_prefix: blobs = "blobs", manifests_prefix: manifests = "manifests" } = attrs;
  const names = (attrs["name"] ?? "buildkit").split(";").filter(Boolean);
  const url = (path: string) => {
    const found = new URL(account.url);
    const encoded = path.split("/").map(encodeURIComponent).join("/");
    found.pathname = `${found.pathname.replace(/\/$/, "")}/${encoded}`;
    return found;
  };
  const blobAt = (digest: string) => url(posix.join(container, prefix, blobs, digest));
  const request = (
    method: "GET" | "HEAD" | "PUT",
    at: URL,
    size = 0,
  ): Omit<ObjectRequest, "doing"> => ({
    method,
    url: at,
    headers: () => signAzure({ method, url: at, size, account, now: now(), put: method === "PUT" }),
  });
  let made: Promise<void> | undefined;
  const makeContainer = (call: Parameters<ObjectsHttp["send"]>[1]) => {
    made ??= (async () => {
      const at = url(container);
      at.searchParams.set("restype", "container");
      const headers = () =>
        signAzure({ method: "PUT", url: at, size: 0, account, now: now(), put: false });
      const doing = `making container ${container}`;
      const asked = { method: "PUT", url: at, headers, body: bytesBody(new Uint8Array()) } as const;
      (await http.send({ ...asked, doing, expected: [409] }, call)).discard();
    })();
    return made;
  };
  return {
    async hasBlob(digest, call) {
      if (writes) await makeContainer(call);
      const doing = `looking for layer ${digest}`;
      const response = await http.send(
        { ...request("HEAD", blobAt(digest)), doing, expected: [404] },
        call,
      );
      response.discard();
      return response.status !== 404;
    },
    async *readBlob(digest, call) {
      const asked = { ...request("GET", blobAt(digest)), doing: `reading layer ${digest}` };
      yield* (await http.send(asked, call)).body(call);
    },
    async writeBlob(digest, size, data, call) {
      await makeContainer(call);
      const asked = { ...request("PUT", blobAt(digest), size), body: { size, open: data } };
      (await http.send({ ...asked, doing: `writing layer ${digest}` }, call)).discard();
    },
    async readConfigs(call) {
      const at = url(posix.join(container, prefix, manifests, names[0] ?? "buildkit"));
      const doing = `reading the cache of container ${container}`;
      const response = await http.send({ ...request("GET", at), doing, expected: [404] }, call);
      if (response.status !== 404)
        return [new TextDecoder().decode(await response.readUpTo(maxCacheConfigSize, call))];
      response.discard();
      return [];
    },
    async writeConfig(data, call) {
      await makeContainer(call);
      for (const name of names) {
        const at = url(posix.join(container, prefix, manifests, name));
        const doing = `writing the cache ${name} to container ${container}`;
        const asked = { ...request("PUT", at, data.length), body: bytesBody(data), doing };
        (await http.send(asked, call)).discard();
      }
    },
  };
}

/** Requests with a token where neither a key nor the URL says who may. */
function asWhoever(account: Account, { http, now, identity }: AzblobOptions): ObjectsHttp {
  const url = new URL(account.url);
  // A token must not go to anybody in the clear.
  const safe = url.protocol === "https:" || isLoopback(url.hostname);
  if (account.key || url.searchParams.has("sig") || !safe) return http;
  const whoever = identity ?? createAzureIdentity({ now });
  return {
    async send({ headers, ...request }, call) {
      const token = await whoever.token(call);
      const own = (): Readonly<Record<string, string>> =>
        token ? { ...headers(), authorization: `Bearer ${token.value}` } : headers();
      return await http.send({ ...request, headers: own }, call);
    },
  };
}

interface Account {
  /** With a shared access signature in its query, where there is one. */
  readonly url: string;
  readonly name: string;
  /** Base64. */
  readonly key: string | undefined;
}

function readAccount(attrs: Attrs): Account {
  const url = requiredAttribute("azblob", attrs, "account_url");
  let host: string;
  try {
    host = new URL(url).hostname;
  } catch {
    throw badCacheAttribute(`account_url=${url}`, "it is no URL");
  }
  const { account_name: name = host.split(".")[0] ?? "", secret_access_key: key } = attrs;
  return { url, name, key };
}

export interface AzureRequest {
  readonly method: string;
  readonly url: URL;
  /** Of the body, in bytes. */
  readonly size: number;
  readonly account: Account;
  readonly now: Date;
  /** Whether a blob is written. */
  readonly put: boolean;
}

/** Headers of a request: Shared Key authorization of the Blob service. Without a key the URL has to say who may. */
export function signAzure(request: AzureRequest): Readonly<Record<string, string>> {
  const { method, url, size, account, now, put } = request;
  const headers: Record<string, string> = {
    ...(put ? { "x-ms-blob-type": "BlockBlob" } : {}),
    "x-ms-date": now.toUTCString(),
    "x-ms-version": version,
  };
  if (!account.key) return headers;
  const queries = [...url.searchParams]
    .map(([name, value]) => `${name.toLowerCase()}:${value}`)
    .sort();
  const text = [
    method,
    "",
    "",
    size === 0 ? "" : String(size),
    ...Array.from({ length: 8 }, () => ""),
    ...Object.keys(headers)
      .sort()
      .map((name) => `${name}:${headers[name]}`),
    [`/${account.name}${url.pathname}`, ...queries].join("\n"),
  ].join("\n");
  const key = Buffer.from(account.key, "base64");
  const signature = createHmac("sha256", key).update(text).digest("base64");
  return { ...headers, authorization: `SharedKey ${account.name}:${signature}` };
}
