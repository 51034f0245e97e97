// GitHub Actions' cache service, in both versions of its protocol: entries under keys that are never changed.
import { createHash } from "node:crypto";
import type { Attrs } from "../../../api/index.ts";
import { type Bytes, type Call, isRecord, KilnError } from "../../../base/index.ts";
import { badCacheAttribute, requiredAttribute } from "./attributes.ts";
import { pieces } from "./byte-pieces.ts";
import { bytesBody, type ObjectsHttp } from "./objects-http.ts";

/** The service tells caches of different tools apart by a version; this is the one of BuildKit's client. */
const version = createHash("sha256").update("|go-actionscache-1.0").digest("hex");
const maxAnswer = 32 * 1024;
/** Largest piece of an upload in the first version, in bytes. */
const chunkSize = 32 * 1024 * 1024;

/** `version` chooses between the service's two protocols; without it the second is spoken where its address is known. */
export function openService(attrs: Attrs, token: string, http: ObjectsHttp): CacheService {
  const { version: protocol = "", url = "", url_v2: second = "" } = attrs;
  if (!["", "1", "2"].includes(protocol))
    throw badCacheAttribute(`version=${protocol}`, "expected 1 or 2");
  if (protocol === "2" || (protocol === "" && second))
    return secondService(
      requiredAttribute("gha", { url_v2: second || url }, "url_v2"),
      token,
      http,
    );
  return firstService(requiredAttribute("gha", { url }, "url"), token, http);
}

interface Entry {
  readonly key: string;
  readonly url: string;
}

export interface CacheService {
  /** The latest entry whose key is, or begins with, `key`. */
  find(key: string, call: Call): Promise<Entry | undefined>;
  /** False where somebody has that key already. */
  save(key: string, size: number, data: () => Bytes, call: Call): Promise<boolean>;
}

export async function* download(url: string, doing: string, http: ObjectsHttp, call: Call): Bytes {
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
