// Stores of objects for tests: S3, Azure Blob Storage and GitHub Actions' cache, as far as caches use them; signatures are checked.

import { Buffer } from "node:buffer";
import { createHash, createHmac } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface ObjectStore extends AsyncDisposable {
  readonly url: string;
  /** By path. */
  readonly objects: Map<string, Uint8Array>;
  /** `METHOD path`, in order. */
  readonly log: string[];
  /** Requests that were refused. */
  readonly refused: string[];
}

type Handle = (
  request: IncomingMessage & { readonly path: string; readonly query: URLSearchParams },
  body: Uint8Array,
  response: ServerResponse,
) => void;

async function serve(handle: (store: ObjectStore) => Handle): Promise<ObjectStore> {
  const server = createServer((request, response) => {
    const chunks: Uint8Array[] = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      const url = new URL(request.url ?? "/", "http://store");
      const { pathname: path, searchParams: query } = url;
      store.log.push(`${request.method} ${decodeURIComponent(path)}`);
      handler(
        Object.assign(request, { path, query }),
        new Uint8Array(Buffer.concat(chunks)),
        response,
      );
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const store: ObjectStore = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    objects: new Map(),
    log: [],
    refused: [],
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  const handler = handle(store);
  return store;
}

function answer(response: ServerResponse, status: number, body: Uint8Array | string = ""): void {
  response.writeHead(status, { "content-length": Buffer.byteLength(body) }).end(body);
}

/** PUT, GET and HEAD of whole objects. */
function objectAt(
  store: ObjectStore,
  request: Parameters<Handle>[0],
  body: Uint8Array,
  response: ServerResponse,
  created = 200,
): void {
  const key = decodeURIComponent(request.path);
  if (request.method === "PUT") {
    store.objects.set(key, body);
    answer(response, created);
    return;
  }
  const found = store.objects.get(key);
  if (!found) answer(response, 404, request.method === "HEAD" ? "" : "<Code>NoSuchKey</Code>");
  else if (request.method === "GET") answer(response, 200, found);
  else
    response
      .writeHead(200, { "content-length": found.length, "last-modified": new Date().toUTCString() })
      .end();
}

const sha256 = (data: string | Uint8Array) => createHash("sha256").update(data).digest("hex");
const hmac = (key: string | Uint8Array, text: string) =>
  createHmac("sha256", key).update(text).digest();

function queryOf({ query }: Parameters<Handle>[0]): string {
  const pairs = [...query].map((pair) => pair.map(encodeURIComponent).join("="));
  return pairs.sort().join("&");
}

/** Uploads in parts, and objects copied onto themselves. False for requests of other kinds. */
function inParts(
  store: ObjectStore,
  uploads: Map<string, Map<number, Uint8Array>>,
  request: Parameters<Handle>[0],
  body: Uint8Array,
  response: ServerResponse,
): boolean {
  const { method, query } = request;
  const key = decodeURIComponent(request.path);
  const id = query.get("uploadId") ?? "";
  const parts = uploads.get(id);
  if (method === "POST" && query.has("uploads")) {
    const begun = `${uploads.size + 1}/+upload`;
    uploads.set(begun, new Map());
    answer(response, 200, `<R><UploadId>${begun}</UploadId></R>`);
  } else if (method === "PUT" && request.headers["x-amz-copy-source"] !== undefined) {
    const there = store.objects.has(`/${request.headers["x-amz-copy-source"]}`);
    answer(response, there ? 200 : 404, "<CopyObjectResult/>");
  } else if (id === "") return false;
  else if (!parts) answer(response, 404, "<Error><Code>NoSuchUpload</Code></Error>");
  else if (method === "PUT") {
    const number = Number(query.get("partNumber"));
    parts.set(number, body);
    response.writeHead(200, { etag: `"part-${number}"`, "content-length": 0 }).end();
  } else if (method === "DELETE") {
    uploads.delete(id);
    answer(response, 204);
  } else {
    const wanted = [...new TextDecoder().decode(body).matchAll(/part-(\d+)/g)].map(([, n]) => n);
    const chosen = wanted.map((number) => parts.get(Number(number)) ?? new Uint8Array());
    store.objects.set(key, new Uint8Array(Buffer.concat(chosen)));
    uploads.delete(id);
    answer(response, 200, "<CompleteMultipartUploadResult/>");
  }
  return true;
}

/** Refuses what is not signed with `secret` by version 4, or whose body is not the one that was signed. */
export function startS3(secret: string): Promise<ObjectStore> {
  const uploads = new Map<string, Map<number, Uint8Array>>();
  return serve((store) => (request, body, response) => {
    const { authorization = "" } = request.headers;
    const match =
      /^AWS4-HMAC-SHA256 Credential=[^/]+\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=(\w+)$/.exec(
        authorization,
      );
    const [, day = "", region = "", names = "", signature = ""] = match ?? [];
    const lines = names.split(";").map((name) => `${name}:${request.headers[name]}\n`);
    const canonical = `${request.method}\n${request.path}\n${queryOf(request)}\n${lines.join("")}\n${names}\n${request.headers["x-amz-content-sha256"]}`;
    const scope = `${day}/${region}/s3/aws4_request`;
    const text = `AWS4-HMAC-SHA256\n${request.headers["x-amz-date"]}\n${scope}\n${sha256(canonical)}`;
    const key = hmac(hmac(hmac(hmac(`AWS4${secret}`, day), region), "s3"), "aws4_request");
    const good =
      hmac(key, text).toString("hex") === signature &&
      request.headers["x-amz-content-sha256"] === sha256(body);
    if (good) {
      if (!inParts(store, uploads, request, body, response))
        objectAt(store, request, body, response);
      return;
    }
    store.refused.push(request.path);
    answer(response, 403, "<Code>SignatureDoesNotMatch</Code><Message>wrong key</Message>");
  });
}

/** Knows one account with a key; containers must be made before blobs. */
export function startAzure(account: string, key: string): Promise<ObjectStore> {
  return serve((store) => (request, body, response) => {
    const ms = Object.keys(request.headers)
      .filter((name) => name.startsWith("x-ms-"))
      .sort()
      .map((name) => `${name}:${request.headers[name]}`);
    const length = request.headers["content-length"];
    const queries = [...request.query].map(([name, value]) => `\n${name}:${value}`).join("");
    const text = `${request.method}\n\n\n${length === "0" || !length ? "" : length}\n\n\n\n\n\n\n\n\n${ms.join("\n")}\n/${account}${request.path}${queries}`;
    const signature = createHmac("sha256", Buffer.from(key, "base64"))
      .update(text)
      .digest("base64");
    const allowed = [`SharedKey ${account}:${signature}`, `Bearer ${key}`];
    if (!allowed.includes(request.headers.authorization ?? "")) {
      store.refused.push(request.path);
      return answer(response, 403, "<Code>AuthenticationFailed</Code>");
    }
    if (request.query.get("restype") === "container") {
      const there = store.objects.has(request.path);
      store.objects.set(request.path, body);
      return answer(response, there ? 409 : 201);
    }
    const container = `/${request.path.split("/")[1]}`;
    if (request.method === "PUT" && !store.objects.has(container)) return answer(response, 404);
    if (request.method === "PUT" && request.headers["x-ms-blob-type"] !== "BlockBlob")
      return answer(response, 400);
    objectAt(store, request, body, response, 201);
  });
}

/** Both versions of the cache service, over the same entries. Addresses of objects are good once. */
export function startActionsCache(token: string): Promise<ObjectStore> {
  const pending = new Map<number, { readonly key: string; data: Uint8Array }>();
  const tickets = new Set<string>();
  return serve((store) => (request, body, response) => {
    const { path, query } = request;
    const json = (status: number, value: unknown) =>
      answer(response, status, JSON.stringify(value));
    if (path.startsWith("/object/")) {
      if (!tickets.delete(query.get("ticket") ?? "")) return answer(response, 403);
      return objectAt(store, request, body, response, 201);
    }
    // GitHub's own API, which has other tokens.
    if (path.startsWith("/repos/")) {
      if (request.headers.authorization !== "Bearer api") return answer(response, 403);
      const names = [...store.objects.keys()].map((name) => name.slice("/object/".length));
      const found = names.filter((name) => name.startsWith(query.get("key") ?? ""));
      const ref = "refs/heads/main";
      return json(200, { actions_caches: found.map((key) => ({ key, ref })) });
    }
    if (request.headers.authorization !== `Bearer ${token}`) {
      store.refused.push(path);
      return answer(response, 401);
    }
    const address = (key: string) => {
      const ticket = `${Math.random()}`;
      tickets.add(ticket);
      return `${store.url}/object/${encodeURIComponent(key)}?ticket=${ticket}`;
    };
    const find = (key: string) =>
      [...store.objects.keys()]
        .map((name) => name.slice("/object/".length))
        .reverse()
        .find((name) => name.startsWith(key));
    const method = path.split("/").at(-1);
    const asked =
      body.length > 0 && body[0] === 123 ? JSON.parse(Buffer.from(body).toString()) : {};
    if (path.startsWith("/twirp/")) {
      const { key } = asked;
      if (method === "GetCacheEntryDownloadURL") {
        const matched = find(key);
        return matched
          ? json(200, { ok: true, matched_key: matched, signed_download_url: address(matched) })
          : json(200, { ok: false });
      }
      if (method === "CreateCacheEntry") {
        if (store.objects.has(`/object/${key}`)) return json(409, { code: "already_exists" });
        return json(200, { ok: true, signed_upload_url: address(key) });
      }
      const size = store.objects.get(`/object/${key}`)?.length;
      return json(200, { ok: size === asked.size_bytes, entry_id: "1" });
    }
    if (path.endsWith("/cache")) {
      const matched = find(query.get("keys") ?? "");
      if (!matched) return answer(response, 204);
      return json(200, { cacheKey: matched, archiveLocation: address(matched), scope: "main" });
    }
    if (path.endsWith("/caches")) {
      if (store.objects.has(`/object/${asked.key}`)) return answer(response, 409);
      pending.set(pending.size + 1, { key: asked.key, data: new Uint8Array() });
      return json(201, { cacheId: pending.size });
    }
    const entry = pending.get(Number(method));
    if (!entry) return answer(response, 404);
    if (request.method === "PATCH") entry.data = new Uint8Array(Buffer.concat([entry.data, body]));
    else if (asked.size === entry.data.length)
      store.objects.set(`/object/${entry.key}`, entry.data);
    else return answer(response, 400);
    answer(response, 204);
  });
}
