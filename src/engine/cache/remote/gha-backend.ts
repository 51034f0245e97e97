// Caches in GitHub Actions' cache service (`type=gha`), in both versions of its protocol.
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import type { Attrs } from "../../../api/index.ts";
import {
  type Bytes,
  bytesOf,
  type Call,
  digestHex,
  digestOf,
  isRecord,
  KilnError,
} from "../../../base/index.ts";
import { maxCacheConfigSize } from "../../../formats/cacheconfig/index.ts";
import { badCacheAttribute, requiredAttribute } from "./attributes.ts";
import type { CacheBackend } from "./backend.ts";
import { pieces } from "./byte-pieces.ts";
import { type CacheObjects, createObjectsBackend } from "./objects-backend.ts";
import { bytesBody, type ObjectsHttp } from "./objects-http.ts";

const attributes = [
  "ghtoken",
  "repository",
  "scope",
  "timeout",
  "token",
  "url",
  "url_v2",
  "version",
];

/** The service tells caches of different tools apart by a version; this is the one of BuildKit's client. */
const version = createHash("sha256").update("|go-actionscache-1.0").digest("hex");
const maxAnswer = 32 * 1024;
/** Largest piece of an upload in the first version, in bytes. */
const chunkSize = 32 * 1024 * 1024;

export function createGhaBackend({ http }: { readonly http: ObjectsHttp }): CacheBackend {
  return createObjectsBackend({
    type: "gha",
    attributes,
    place: ({ scope = "buildkit" }) => `gha:${scope}`,
    open: (attrs) => openCache(attrs, http),
    parallel: () => 4,
  });
}

interface Scope {
  readonly scope: string;
  readonly writable: boolean;
}

function openCache(attrs: Attrs, http: ObjectsHttp): CacheObjects {
  const token = requiredAttribute("gha", attrs, "token");
  const scopes = scopesOf(token);
  const { scope: name = "buildkit", url_v2: second, url: first } = attrs;
  const service = second
    ? secondService(second, token, http)
    : firstService(requiredAttribute("gha", { url: first ?? "" }, "url"), token, http);
  const blobKey = (digest: string) => `buildkit-blob-1-${digest}`;
  const indexKey = (scope: string) => `index-${name}-1-${digestHex(digestOf(scope)).slice(0, 8)}`;
  const find = async (key: string, call: Call) => {
    const found = await service.find(key, call);
    return found?.key === key ? found : undefined;
  };
  return {
    hasBlob: async (digest, call) => (await find(blobKey(digest), call)) !== undefined,
    async *readBlob(digest, call) {
      // Asked for anew each time: addresses are good for minutes.
      const found = await find(blobKey(digest), call);
      if (!found) throw new KilnError("BLOB_NOT_FOUND", `layer ${digest} is no more in the cache`);
      yield* download(found.url, `reading layer ${digest}`, http, call);
    },
    async writeBlob(digest, size, data, call) {
      await service.save(blobKey(digest), size, data, call);
    },
    async readConfigs(call) {
      const texts: string[] = [];
      for (const { scope } of scopes) {
        const found = await service.find(`${indexKey(scope)}#`, call);
        if (!found) continue;
        const doing = `reading the cache ${name}`;
        const response = await http.send(
          { method: "GET", url: new URL(found.url), headers: () => ({}), doing },
          call,
        );
        texts.push(new TextDecoder().decode(await response.readUpTo(maxCacheConfigSize, call)));
      }
      return texts;
    },
    async writeConfig(data, call) {
      const writable = scopes.filter((one) => one.writable).at(-1);
      if (!writable)
        throw new KilnError("CACHE_FAILED", "the workflow's token may not write to any cache");
      const key = indexKey(writable.scope);
      const last = await service.find(`${key}#`, call);
      let number = Number(last?.key.slice(key.length + 1) ?? 0) || 0;
      // Entries cannot be changed: each export has the next number, whoever else exports meanwhile.
      for (let attempt = 0; attempt < 20; attempt++) {
        number++;
        if (await service.save(`${key}#${number}`, data.length, () => bytesOf(data), call)) return;
      }
      throw new KilnError("CACHE_FAILED", `the cache ${name} is being written by too many at once`);
    },
  };
}

/** What the token says that may be read and written: its `ac` claim. The service is who checks it. */
function scopesOf(token: string): readonly Scope[] {
  try {
    const claims: unknown = JSON.parse(
      Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8"),
    );
    const list: unknown = isRecord(claims) ? JSON.parse(String(claims["ac"])) : undefined;
    if (!Array.isArray(list)) throw new Error("no list");
    return list.filter(isRecord).map(({ Scope, Permission }) => ({
      scope: String(Scope),
      writable: (Number(Permission) & 2) !== 0,
    }));
  } catch (cause) {
    throw new KilnError("FLAG_INVALID", "cache attribute token: it is no token of GitHub Actions", {
      cause,
    });
  }
}

interface Entry {
  readonly key: string;
  readonly url: string;
}

interface CacheService {
  /** The latest entry whose key is, or begins with, `key`. */
  find(key: string, call: Call): Promise<Entry | undefined>;
  /** False where somebody has that key already. */
  save(key: string, size: number, data: () => Bytes, call: Call): Promise<boolean>;
}

async function* download(url: string, doing: string, http: ObjectsHttp, call: Call): Bytes {
  const request = { method: "GET", url: new URL(url), headers: () => ({}), doing } as const;
  yield* (await http.send(request, call)).body(call);
}

async function answerOf(
  response: Awaited<ReturnType<ObjectsHttp["send"]>>,
  call: Call,
): Promise<Readonly<Record<string, unknown>>> {
  const text = new TextDecoder().decode(await response.readUpTo(maxAnswer, call));
  if (text === "") return {};
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : {};
  } catch {
    throw new KilnError("CACHE_FAILED", "the cache service did not answer with JSON");
  }
}

function secondService(base: string, token: string, http: ObjectsHttp): CacheService {
  const url = (method: string) => {
    try {
      return new URL(
        `twirp/github.actions.results.api.v1.CacheService/${method}`,
        base.replace(/\/?$/, "/"),
      );
    } catch {
      throw badCacheAttribute(`url_v2=${base}`, "it is no URL");
    }
  };
  const ask = async (method: string, body: unknown, call: Call) => {
    const data = new TextEncoder().encode(JSON.stringify(body));
    const headers = () => ({
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
    });
    const request = { method: "POST", url: url(method), headers, body: bytesBody(data) } as const;
    const doing = `asking the cache service (${method})`;
    const response = await http.send({ ...request, doing, expected: [404, 409] }, call);
    if (response.status < 300) return answerOf(response, call);
    response.discard();
    return {};
  };
  return {
    async find(key, call) {
      const found = await ask(
        "GetCacheEntryDownloadURL",
        { key, restore_keys: [key], version },
        call,
      );
      const { ok, matched_key: matched, signed_download_url: address } = found;
      if (ok !== true || typeof matched !== "string" || typeof address !== "string")
        return undefined;
      return { key: matched, url: address };
    },
    async save(key, size, data, call) {
      const made = await ask("CreateCacheEntry", { key, version }, call);
      const { ok, signed_upload_url: address } = made;
      if (ok !== true || typeof address !== "string") return false;
      const headers = () => ({
        "x-ms-blob-type": "BlockBlob",
        "content-type": "application/octet-stream",
      });
      const request = { method: "PUT", url: new URL(address), headers } as const;
      const body = { size, open: data };
      (await http.send({ ...request, body, doing: `uploading ${key}` }, call)).discard();
      const done = await ask("FinalizeCacheEntryUpload", { key, size_bytes: size, version }, call);
      if (done["ok"] === true) return true;
      throw new KilnError("CACHE_FAILED", `the cache service did not take ${key}`);
    },
  };
}

function firstService(base: string, token: string, http: ObjectsHttp): CacheService {
  const url = (path: string) => {
    try {
      return new URL(`_apis/artifactcache/${path}`, base.replace(/\/?$/, "/"));
    } catch {
      throw badCacheAttribute(`url=${base}`, "it is no URL");
    }
  };
  const headers = (more: Readonly<Record<string, string>> = {}) => ({
    authorization: `Bearer ${token}`,
    accept: "application/json;api-version=6.0-preview.1",
    ...more,
  });
  const json = { "content-type": "application/json" };
  const post = (path: string, body: unknown, call: Call) =>
    http.send(
      {
        method: "POST",
        url: url(path),
        headers: () => headers(json),
        body: bytesBody(new TextEncoder().encode(JSON.stringify(body))),
        doing: "writing to the cache service",
        expected: [409],
      },
      call,
    );
  return {
    async find(key, call) {
      const at = url("cache");
      at.searchParams.set("keys", key);
      at.searchParams.set("version", version);
      const request = { method: "GET", url: at, headers: () => headers() } as const;
      const doing = "asking the cache service";
      const response = await http.send({ ...request, doing, expected: [404] }, call);
      if (response.status === 404 || response.status === 204) {
        response.discard();
        return undefined;
      }
      const { cacheKey, archiveLocation } = await answerOf(response, call);
      if (typeof cacheKey !== "string" || typeof archiveLocation !== "string") return undefined;
      return { key: cacheKey, url: archiveLocation };
    },
    async save(key, size, data, call) {
      const reserved = await post("caches", { key, version }, call);
      if (reserved.status === 409) {
        reserved.discard();
        return false;
      }
      // Servers spell it either way.
      const answer = await answerOf(reserved, call);
      const cacheId = answer["cacheId"] ?? answer["cacheID"];
      if (typeof cacheId !== "number")
        throw new KilnError("CACHE_FAILED", `the cache service did not take ${key}`);
      await upload(`caches/${cacheId}`, data, call);
      (await post(`caches/${cacheId}`, { size }, call)).discard();
      return true;
    },
  };

  async function upload(path: string, data: () => Bytes, call: Call): Promise<void> {
    let offset = 0;
    for await (const piece of pieces(data(), chunkSize)) {
      const range = `bytes ${offset}-${offset + piece.length - 1}/*`;
      const sent = headers({ "content-type": "application/octet-stream", "content-range": range });
      const request = { method: "PATCH", url: url(path), headers: () => sent } as const;
      const doing = "writing to the cache service";
      (await http.send({ ...request, body: bytesBody(piece), doing }, call)).discard();
      offset += piece.length;
    }
  }
}
