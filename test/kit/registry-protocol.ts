// The distribution protocol's server side, as far as clients use it, faults included.
import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { concatBytes, digestOf } from "../../src/base/index.ts";
import type { RecordedRequest } from "./registry.ts";
import type { Guard } from "./registry-auth.ts";
import type { Fault } from "./registry-faults.ts";
import type { RegistryStore } from "./registry-store.ts";

/** How this registry differs from a well-behaved one. */
export interface RegistryRules {
  /** A prefix of all repositories' paths, as a proxying mirror has it. */
  readonly prefix?: string;
  /** Answers 405 to HEAD of manifests. */
  readonly noHead?: boolean;
  /** HEAD says nothing about digest and size. */
  readonly bareHead?: boolean;
  /** Mounting opens an upload instead. */
  readonly noMount?: boolean;
  /** PUT with a body is answered with this status, so that only PATCH will do. */
  readonly refuseWhole?: number;
  /** Sends everything, whatever part is asked for. */
  readonly noRanges?: boolean;
  /** Blobs are at another place: answers with a redirect to this base. */
  readonly blobsAt?: string;
  /** Knows the referrers API of OCI 1.1. */
  readonly referrers?: boolean;
  /** Entries on one page of a listing, with a link to the next. */
  readonly pageSize?: number;
  /** Answers 405 to DELETE. */
  readonly noDelete?: boolean;
  /** Says that pieces of an upload must be so large, and refuses smaller ones but for the last. */
  readonly minChunk?: number;
  /** Upload locations as absolute URLs with a query. */
  readonly absoluteLocations?: boolean;
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly record: RecordedRequest;
  readonly store: RegistryStore;
  readonly guard: Guard;
  readonly fault: Fault | undefined;
  readonly rules: RegistryRules;
  readonly base: string;
}

export async function answer(one: Exchange): Promise<void> {
  const { request, response, record, fault, rules, guard } = one;
  if (fault?.kind === "silence") return;
  if (fault?.kind === "cut" && fault.after === undefined) return void request.socket.destroy();
  if (fault?.kind === "status") {
    response.writeHead(fault.status, { "content-type": "application/json", ...fault.headers });
    return void response.end(fault.body ?? "");
  }
  if (record.path === "/token")
    return guard.giveToken(request, response, record.query, text(await readBody(one)));
  if (!request.url?.startsWith("/v2/")) return plain(response, 404);
  const match = /^(.*)\/(manifests|blobs|tags|referrers)\/(.*)$/.exec(
    record.path.replace(/^(.*?)\/blobs\/uploads\//, "$1/blobs/uploads:"),
  );
  const [, path = "", kind = "", rest = ""] = match ?? [];
  const writes = request.method !== "GET" && request.method !== "HEAD";
  if (
    !guard.admits(request, response, { repository: path, action: writes ? "pull,push" : "pull" })
  ) {
    return void request.resume();
  }
  if (record.path === "") return plain(response, 200);
  const prefix = rules.prefix ?? "";
  if (!match || !path.startsWith(prefix)) return problem(response, 404, "NAME_UNKNOWN");
  const repository = path.slice(prefix.length);
  if (kind === "tags") return tags(one, repository);
  if (kind === "referrers") return referrers(one, repository, rest);
  if (request.method === "DELETE" && !rest.startsWith("uploads:"))
    return takeAway(one, repository, kind, rest);
  if (kind === "manifests")
    return writes ? putManifest(one, repository, rest) : getManifest(one, repository, rest);
  return rest.startsWith("uploads:")
    ? upload(one, repository, path, rest.slice(8))
    : getBlob(one, repository, rest);
}

function tags({ response, store, record, rules }: Exchange, name: string): void {
  const all = store.tags(name);
  const start = all.indexOf(record.query.get("last") ?? "") + 1;
  const page = all.slice(start, start + (rules.pageSize ?? all.length));
  const more = start + page.length < all.length;
  const next = `</v2/${name}/tags/list?n=${rules.pageSize}&last=${page.at(-1)}>; rel="next"`;
  response.writeHead(200, { "content-type": "application/json", ...(more ? { link: next } : {}) });
  response.end(JSON.stringify({ name, tags: page }));
}

function referrers({ response, store, rules }: Exchange, name: string, subject: string): void {
  if (!rules.referrers) return void problem(response, 404, "NOT_FOUND");
  const mediaType = "application/vnd.oci.image.index.v1+json";
  response.writeHead(200, { "content-type": mediaType });
  response.end(
    JSON.stringify({ schemaVersion: 2, mediaType, manifests: store.referrers(name, subject) }),
  );
}

function takeAway(
  { response, store, rules }: Exchange,
  name: string,
  kind: string,
  what: string,
): void {
  if (rules.noDelete) return void problem(response, 405, "UNSUPPORTED");
  if (store.remove(name, kind === "blobs" ? "blobs" : "manifests", what))
    return void plain(response, 202);
  problem(response, 404, kind === "blobs" ? "BLOB_UNKNOWN" : "MANIFEST_UNKNOWN");
}

async function getManifest(one: Exchange, repository: string, reference: string): Promise<void> {
  const { request, response, store, rules, fault } = one;
  if (request.method === "HEAD" && rules.noHead) return plain(response, 405);
  const found = store.manifest(repository, reference);
  if (!found) return problem(response, 404, "MANIFEST_UNKNOWN");
  const bare = request.method === "HEAD" && rules.bareHead;
  const digest = fault?.kind === "mislabel" ? fault.digest : digestOf(found.data);
  response.setHeader("content-type", found.mediaType);
  if (!bare) response.setHeader("docker-content-digest", digest);
  if (request.method === "HEAD") {
    if (!bare) response.setHeader("content-length", found.data.length);
    return void response.writeHead(200).end();
  }
  await send(one, found.data, 200);
}

async function putManifest(one: Exchange, repository: string, reference: string): Promise<void> {
  const { request, response, store } = one;
  const data = await readBody(one);
  if (response.writableEnded || response.destroyed) return;
  const mediaType = request.headers["content-type"] ?? "";
  const digest = digestOf(data);
  for (const name of new Set([reference, digest]))
    store.addManifest(repository, name, { data, mediaType });
  response
    .writeHead(201, {
      location: `/v2/${repository}/manifests/${digest}`,
      "docker-content-digest": digest,
    })
    .end();
}

async function getBlob(one: Exchange, repository: string, digest: string): Promise<void> {
  const { request, response, store, rules } = one;
  const data = store.blob(repository, digest);
  if (!data) return problem(response, 404, "BLOB_UNKNOWN");
  if (rules.blobsAt && request.method === "GET") {
    return void response.writeHead(307, { location: `${rules.blobsAt}${request.url}` }).end();
  }
  response.setHeader("docker-content-digest", digest);
  response.setHeader("content-type", "application/octet-stream");
  if (request.method === "HEAD")
    return void response.writeHead(200, { "content-length": data.length }).end();
  const start = rules.noRanges ? undefined : /^bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1];
  if (start === undefined) return send(one, data, 200);
  response.setHeader("content-range", `bytes ${start}-${data.length - 1}/${data.length}`);
  return send(one, data.subarray(Number(start)), 206);
}

async function send(
  { response, fault, request }: Exchange,
  data: Uint8Array,
  status: number,
): Promise<void> {
  const bytes = Uint8Array.from(data);
  switch (fault?.kind) {
    case "cut":
      response.writeHead(status, { "content-length": bytes.length });
      return void response.write(bytes.subarray(0, fault.after), () =>
        setTimeout(() => request.socket.destroy(), 5),
      );
    case "truncate":
      return void response.writeHead(status).end(bytes.subarray(0, fault.after));
    case "corrupt":
      bytes[fault.at] = (bytes[fault.at] ?? 0) ^ 1;
      break;
    case "extra":
      return void response.writeHead(status).end(concatBytes([bytes, new Uint8Array(fault.bytes)]));
    case "slow":
      response.writeHead(status, { "content-length": bytes.length });
      for (let at = 0; at < bytes.length && !response.destroyed; at += fault.piece) {
        response.write(bytes.subarray(at, at + fault.piece));
        await sleep(fault.pause);
      }
      return void response.end();
    default:
  }
  response.writeHead(status, { "content-length": bytes.length });
  response.end(bytes);
}

async function upload(one: Exchange, repository: string, path: string, id: string): Promise<void> {
  const { request, response, record, store, rules, base } = one;
  const locate = (name: string) =>
    `${rules.absoluteLocations ? base : ""}/v2/${path}/blobs/uploads/${name}${rules.absoluteLocations ? "?_state=a%2Bb%3D" : ""}`;
  if (request.method === "POST") {
    const mount = record.query.get("mount");
    const from = store.blob(record.query.get("from") ?? "", mount ?? "");
    if (mount && from && !rules.noMount) {
      store.putBlob(repository, mount, from);
      return void response.writeHead(201, { location: `/v2/${path}/blobs/${mount}` }).end();
    }
    const name = store.openUpload();
    const least = rules.minChunk ? { "oci-chunk-min-length": rules.minChunk } : {};
    return void response
      .writeHead(202, { location: locate(name), "content-length": 0, ...least })
      .end();
  }
  const received = store.uploads.get(id);
  if (!received) return problem(response, 404, "BLOB_UPLOAD_UNKNOWN");
  if (request.method === "DELETE") {
    store.uploads.delete(id);
    return plain(response, 204);
  }
  const whole = request.method === "PUT" && request.headers["content-length"] !== "0";
  if (whole && rules.refuseWhole) {
    request.resume();
    return plain(response, rules.refuseWhole);
  }
  if (rules.absoluteLocations && record.query.get("_state") !== "a+b=")
    return problem(response, 400, "BLOB_UPLOAD_INVALID");
  const data = await readBody(one);
  if (response.writableEnded || response.destroyed || request.socket.destroyed)
    return void store.uploads.delete(id);
  received.push(data);
  const least = rules.minChunk ?? 0;
  if (received.slice(0, -1).some((piece) => piece.length < least && request.method === "PATCH"))
    return problem(response, 416, "SIZE_INVALID");
  if (request.method === "PATCH")
    return void response.writeHead(202, { location: locate(id), "content-length": 0 }).end();
  store.uploads.delete(id);
  const content = concatBytes(received);
  const digest = record.query.get("digest") ?? "";
  if (digestOf(content) !== digest) return problem(response, 400, "DIGEST_INVALID");
  store.putBlob(repository, digest, content);
  response
    .writeHead(201, { location: `/v2/${path}/blobs/${digest}`, "docker-content-digest": digest })
    .end();
}

/** All of the body; with a fault, only so much of it before the connection is cut or the request refused. */
async function readBody({ request, response, record, fault }: Exchange): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  try {
    for await (const chunk of request) {
      record.received += (chunk as Uint8Array).length;
      chunks.push(Uint8Array.from(chunk as Uint8Array));
      if (fault?.kind === "cut" && record.received >= (fault.after ?? 0)) {
        request.socket.destroy();
        break;
      }
      if (fault?.kind === "refuse" && record.received >= fault.after) {
        if (fault.status === 401)
          response.setHeader("www-authenticate", 'Bearer realm="/token",service="test"');
        // What is still on its way would be taken for the next request.
        response.setHeader("connection", "close");
        problem(response, fault.status, "UNAUTHORIZED");
        break;
      }
    }
  } catch {
    // The client has gone away.
  }
  return concatBytes(chunks);
}

function plain(response: ServerResponse, status: number): void {
  response.writeHead(status, status === 204 ? {} : { "content-length": 0 }).end();
}

function problem(response: ServerResponse, status: number, code: string): void {
  const message = code.toLowerCase().replaceAll("_", " ");
  const body = JSON.stringify({ errors: [{ code, message }] });
  response.writeHead(status, { "content-type": "application/json", "content-length": body.length });
  response.end(body);
}

function text(data: Uint8Array): string {
  return new TextDecoder().decode(data);
}
