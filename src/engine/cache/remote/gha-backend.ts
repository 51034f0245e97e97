// Caches in GitHub Actions' cache service (`type=gha`): layers and documents as entries of the scopes that a token may use.
import { Buffer } from "node:buffer";
import type { Attrs } from "../../../api/index.ts";
import {
  bytesOf,
  type Call,
  digestHex,
  digestOf,
  isRecord,
  KilnError,
  parseDuration,
} from "../../../base/index.ts";
import { maxCacheConfigSize } from "../../../formats/cacheconfig/index.ts";
import { badCacheAttribute, requiredAttribute } from "./attributes.ts";
import type { CacheBackend } from "./backend.ts";
import { listedKeys } from "./gha-keys.ts";
import { download, openService } from "./gha-service.ts";
import { type CacheObjects, createObjectsBackend } from "./objects-backend.ts";
import type { ObjectsHttp } from "./objects-http.ts";

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

export interface GhaOptions {
  readonly http: ObjectsHttp;
  /** Where `GITHUB_API_URL` is looked for; `process.env` if left out. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

export function createGhaBackend({ http, env = process.env }: GhaOptions): CacheBackend {
  const backend = createObjectsBackend({
    type: "gha",
    attributes,
    place: ({ scope = "buildkit" }) => `gha:${scope}`,
    open: (attrs) => openCache(attrs, { http, env }),
    parallel: () => 4,
  });
  return {
    ...backend,
    import: (attrs, session, call) =>
      inTime(attrs, "reading", call, (own) => backend.import(attrs, session, own)),
    export: (cache, attrs, session, call) =>
      inTime(attrs, "writing", call, (own) => backend.export(cache, attrs, session, own)),
  };
}

/** The service keeps those waiting who ask too much of it: `timeout` (10m) is for the whole of an import or export. */
async function inTime<C extends Call, T>(
  { timeout: text = "10m" }: Attrs,
  doing: string,
  call: C,
  work: (call: C) => Promise<T>,
): Promise<T> {
  const time = parseDuration(text);
  if (time === undefined || time <= 0)
    throw badCacheAttribute(`timeout=${text}`, "expected a duration like 10m");
  // A timer's longest time.
  const limit = AbortSignal.timeout(Math.min(Math.ceil(time), 2 ** 31 - 1));
  try {
    return await work({ ...call, signal: AbortSignal.any([call.signal, limit]) });
  } catch (error) {
    if (!limit.aborted || call.signal.aborted) throw error;
    throw new KilnError(
      "CACHE_FAILED",
      `${doing} the cache of GitHub Actions took longer than ${text}`,
      {
        hint: "Give it more time with timeout=, or leave less in the cache with mode=min.",
      },
    );
  }
}

interface Scope {
  readonly scope: string;
  readonly writable: boolean;
}

function openCache(attrs: Attrs, { http, env }: Required<GhaOptions>): CacheObjects {
  const token = requiredAttribute("gha", attrs, "token");
  const scopes = scopesOf(token);
  const { scope: name = "buildkit" } = attrs;
  const service = openService(attrs, token, http);
  const readable = new Set(scopes.map(({ scope }) => scope));
  const listed = listedKeys(attrs, readable, env, http);
  const blobKey = (digest: string) => `${blobPrefix}${digest}`;
  const indexKey = (scope: string) => `index-${name}-1-${digestHex(digestOf(scope)).slice(0, 8)}`;
  const find = async (key: string, call: Call) => {
    const found = await service.find(key, call);
    return found?.key === key ? found : undefined;
  };
  return {
    async hasBlob(digest, call) {
      if ((await listed?.(blobPrefix, call))?.has(blobKey(digest))) return true;
      return (await find(blobKey(digest), call)) !== undefined;
    },
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

const blobPrefix = "buildkit-blob-1-";

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
