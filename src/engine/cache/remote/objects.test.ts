// Caches in stores of objects: what is written there is found again, signed as each store wants it, and sent once.
import { Buffer } from "node:buffer";
import { afterEach, describe, expect, test } from "vitest";
import {
  type ObjectStore,
  startActionsCache,
  startAzure,
  startS3,
} from "../../../../test/kit/object-stores.ts";
import type { Session, StepCall } from "../../../api/index.ts";
import { bytesOf, concatBytes, type Digest, digestOf, uncancelled } from "../../../base/index.ts";
import { mediaTypes } from "../../../formats/oci/index.ts";
import { createAzblobBackend } from "./azblob-backend.ts";
import type { CacheBackend, OutgoingCache } from "./backend.ts";
import { createGhaBackend } from "./gha-backend.ts";
import { createObjectsHttp } from "./objects-http.ts";
import { assembleConfig } from "./outgoing.ts";
import { createS3Backend } from "./s3-backend.ts";
import { createS3Client } from "./s3-client.ts";
import { writeInParts } from "./s3-parts.ts";

const call: StepCall = { ...uncancelled, step: digestOf("step"), emit() {} };
const session = {} as Session;
const http = createObjectsHttp(undefined, { retryBudget: 50, retryDelay: 1 });
const now = () => new Date("2026-05-06T07:08:09Z");

const layers = ["one", "two"].map((text) => ({
  descriptor: { mediaType: mediaTypes.ociLayerGzip, digest: digestOf(text), size: text.length },
  diffId: digestOf(`tar of ${text}`),
  createdAt: now(),
}));
const root = digestOf("root");

function outgoing(): OutgoingCache {
  const keys = new Map([
    ["root", { name: "root", digest: root, ways: [] }],
    [
      "step",
      { name: "step", digest: digestOf("step"), ways: [{ from: "root", input: 0, selector: "" }] },
    ],
  ]);
  const results = new Map([["step", { layers, createdAt: now() }]]);
  return {
    ...assembleConfig(keys, results),
    read: ({ digest }) => bytesOf(new TextEncoder().encode(textOf(digest))),
    repositories: () => [],
  };
}

const textOf = (digest: Digest) => (digest === digestOf("one") ? "one" : "two");

let store: ObjectStore;
afterEach(() => store[Symbol.asyncDispose]());

const token = `x.${Buffer.from(
  JSON.stringify({
    ac: JSON.stringify([
      { Scope: "refs/heads/main", Permission: 1 },
      { Scope: "refs/heads/topic", Permission: 3 },
    ]),
  }),
).toString("base64url")}.y`;

interface Case {
  readonly backend: CacheBackend;
  readonly start: () => Promise<ObjectStore>;
  readonly attrs: (url: string) => Readonly<Record<string, string>>;
}
const cases: Readonly<Record<string, Case>> = {
  "S3 with the bucket in the path": {
    backend: createS3Backend({ http, now }),
    start: () => startS3("secret"),
    attrs: (endpoint_url) => ({
      endpoint_url,
      use_path_style: "true",
      bucket: "b",
      region: "eu-west-1",
      access_key_id: "id",
      secret_access_key: "secret",
      session_token: "t",
      prefix: "some where/",
    }),
  },
  "Azure Blob Storage": {
    backend: createAzblobBackend({ http, now }),
    start: () => startAzure("acc", "c2VjcmV0"),
    attrs: (account_url) => ({ account_url, account_name: "acc", secret_access_key: "c2VjcmV0" }),
  },
  "GitHub Actions' cache, version 1": {
    backend: createGhaBackend({ http }),
    start: () => startActionsCache(token),
    attrs: (url) => ({ url: `${url}/`, token }),
  },
  "GitHub Actions' cache, version 2": {
    backend: createGhaBackend({ http }),
    start: () => startActionsCache(token),
    attrs: (url_v2) => ({ url_v2, url: "http://127.0.0.1:1/", token, scope: "app" }),
  },
};

test("Azure Blob Storage takes the token of whoever this is where no key is given", async () => {
  store = await startAzure("acc", "dG9rZW4=");
  const as = (value: string) =>
    createAzblobBackend({
      http,
      now,
      identity: { token: async () => ({ value, expires: now() }) },
    });
  const where = { account_url: store.url };
  await as("dG9rZW4=").export(outgoing(), { ...where, mode: "max" }, session, call);
  expect(await as("dG9rZW4=").import(where, session, call)).toHaveLength(1);
  await expect(as("else").import(where, session, call)).rejects.toMatchObject({
    code: "CACHE_FAILED",
  });
  // Whoever has a key, or an address that says who may, needs no token.
  const key = { account_name: "acc", secret_access_key: "dG9rZW4=" };
  expect(await as("else").import({ ...where, ...key }, session, call)).toHaveLength(1);
});

describe.each(Object.entries(cases))("%s", (_name, { backend, start, attrs }) => {
  test("gives back what was written", async () => {
    store = await start();
    const where = attrs(store.url);
    await backend.export(outgoing(), { ...where, mode: "max" }, session, call);
    const [found, ...more] = await backend.import(where, session, call);
    expect(more).toEqual([]);
    expect(found?.config.records.map(({ digest }) => digest).sort()).toEqual(
      [root, digestOf("step")].sort(),
    );
    for (const { descriptor } of layers) {
      expect(await found?.has(descriptor, call)).toBe(true);
      const chunks: Uint8Array[] = [];
      for await (const chunk of found?.read(descriptor, call) ?? []) chunks.push(chunk);
      expect(new TextDecoder().decode(concatBytes(chunks))).toBe(textOf(descriptor.digest));
    }
    const gone = { ...(layers[0]?.descriptor as never as object), digest: digestOf("gone") };
    expect(await found?.has(gone as never, call)).toBe(false);
    expect(store.refused).toEqual([]);
  });

  test("sends layers that are there no second time, and the document anew", async () => {
    store = await start();
    const where = attrs(store.url);
    await backend.export(outgoing(), where, session, call);
    const count = () => store.log.filter((line) => /^(PUT|PATCH) /.test(line)).length;
    const first = count();
    await backend.export(outgoing(), where, session, call);
    expect(count() - first).toBeLessThanOrEqual(2);
    expect(await backend.import(where, session, call)).toHaveLength(1);
  });

  test("has nothing before the first export", async () => {
    store = await start();
    expect(await backend.import(attrs(store.url), session, call)).toEqual([]);
  });

  test("says what a store refused", async () => {
    store = await start();
    const wrong = Object.fromEntries(
      Object.entries(attrs(store.url)).map(([name, value]) => [
        name,
        name === "secret_access_key" ? "d3Jvbmc=" : name === "token" ? `${value}z` : value,
      ]),
    );
    await expect(backend.import(wrong, session, call)).rejects.toMatchObject({
      code: "CACHE_FAILED",
    });
  });

  test("knows its attributes", async () => {
    store = await start();
    const wrong = { ...attrs(store.url), scoop: "x" };
    await expect(backend.import(wrong, session, call)).rejects.toMatchObject({
      code: "FLAG_INVALID",
    });
  });
});

describe("S3", () => {
  const attrs = (more: Readonly<Record<string, string>> = {}) => ({
    endpoint_url: store.url,
    use_path_style: "true",
    bucket: "b",
    region: "eu-west-1",
    access_key_id: "id",
    secret_access_key: "secret",
    ...more,
  });
  const put = () => store.log.filter((line) => line.startsWith("PUT"));

  test("takes large objects in parts, which are the whole when all are there", async () => {
    store = await startS3("secret");
    const client = createS3Client(attrs(), "b", { http, now });
    const data = Uint8Array.from({ length: 2500 }, (_, at) => at % 251);
    const chunks = async function* () {
      for (let at = 0; at < data.length; at += 300) yield data.slice(at, at + 300);
    };
    const what = { key: "dir/object one", size: data.length, doing: "writing" };
    await writeInParts(client, what, chunks, call, 1000);
    expect(store.objects.get("/b/dir/object one")).toEqual(data);
    expect(store.refused).toEqual([]);
    expect(put()).toHaveLength(3);
  });

  test("keeps nothing of an upload whose data failed", async () => {
    store = await startS3("secret");
    const client = createS3Client(attrs(), "b", { http, now });
    const broken = async function* () {
      yield new Uint8Array(1500);
      throw new Error("the disk is gone");
    };
    const what = { key: "k", size: 3000, doing: "writing" };
    await expect(writeInParts(client, what, broken, call, 1000)).rejects.toThrow("disk is gone");
    expect(store.objects.size).toBe(0);
    expect(store.log.at(-1)).toBe("DELETE /b/k");
  });

  test("gives layers that are there today's date when they are old, as often as is asked for", async () => {
    store = await startS3("secret");
    const backend = createS3Backend({ http, now: () => new Date(Date.now() + 3600_000) });
    await backend.export(outgoing(), attrs(), session, call);
    const first = put().length;
    await backend.export(outgoing(), attrs(), session, call);
    expect(put()).toHaveLength(first + 1);
    await backend.export(outgoing(), attrs({ touch_refresh: "30m" }), session, call);
    // The document, and the two layers where they lie.
    expect(put()).toHaveLength(first + 1 + 3);
    expect(store.refused).toEqual([]);
    expect(store.objects.size).toBe(3);
  });

  test("is asked as often as retry_max_attempts says, and no value that means nothing is taken", async () => {
    store = await startS3("secret");
    const closed = { ...attrs(), endpoint_url: "http://127.0.0.1:1" };
    const patient = createObjectsHttp(undefined, { retryBudget: 60_000, retryDelay: 10_000 });
    const backend = createS3Backend({ http: patient, now });
    const begun = performance.now();
    const once = backend.import({ ...closed, retry_max_attempts: "1" }, session, call);
    await expect(once).rejects.toMatchObject({ code: "CACHE_FAILED" });
    expect(performance.now() - begun).toBeLessThan(5000);
    for (const wrong of [
      { retry_mode: "lazy" },
      { retry_max_attempts: "many" },
      { touch_refresh: "soon" },
      { upload_parallelism: "0" },
      { disable_accept_encoding: "perhaps" },
    ])
      await expect(
        backend.export(outgoing(), { ...attrs(), ...wrong } as never, session, call),
      ).rejects.toMatchObject({ code: "FLAG_INVALID" });
  });

  test("finds keys and region where AWS's own tools do", async () => {
    store = await startS3("secret");
    const env = {
      AWS_ACCESS_KEY_ID: "id",
      AWS_SECRET_ACCESS_KEY: "secret",
      AWS_REGION: "eu-north-1",
      AWS_ENDPOINT_URL_S3: store.url,
    };
    const backend = createS3Backend({ http, now, env });
    const named = { bucket: "b", use_path_style: "true" };
    await backend.export(outgoing(), named, session, call);
    expect(await backend.import(named, session, call)).toHaveLength(1);
    expect(store.refused).toEqual([]);
  });
});

describe("GitHub Actions' cache", () => {
  const service = () => ({ url: `${store.url}/`, url_v2: store.url, token });

  test("speaks the version that is asked for", async () => {
    store = await startActionsCache(token);
    const backend = createGhaBackend({ http });
    await backend.export(outgoing(), { ...service(), version: "1" }, session, call);
    expect(store.log.filter((line) => line.includes("twirp"))).toEqual([]);
    await backend.import({ ...service(), version: "2" }, session, call);
    expect(store.log.filter((line) => line.includes("twirp")).length).toBeGreaterThan(0);
    for (const wrong of [{ version: "3" }, { timeout: "soon" }, { ghtoken: "api" }])
      await expect(
        backend.import({ ...service(), ...wrong } as never, session, call),
      ).rejects.toMatchObject({ code: "FLAG_INVALID" });
  });

  test("asks the repository's list once, where it may, instead of the service for each layer", async () => {
    store = await startActionsCache(token);
    const backend = createGhaBackend({ http, env: { GITHUB_API_URL: store.url } });
    const attrs = { ...service(), ghtoken: "api", repository: "me/app" };
    await backend.export(outgoing(), attrs, session, call);
    store.log.length = 0;
    await backend.export(outgoing(), attrs, session, call);
    expect(store.log.filter((line) => line.includes("/repos/me/app/actions/caches"))).toHaveLength(
      1,
    );
    // What is left is the document's.
    expect(store.log.filter((line) => line.includes("GetCacheEntryDownloadURL"))).toHaveLength(1);
    // A list that is not to be had takes nothing away.
    const denied = { ...attrs, ghtoken: "wrong" };
    await backend.export(outgoing(), denied, session, call);
    expect(await backend.import(attrs, session, call)).not.toEqual([]);
  });

  test("is given up when it takes longer than its timeout", async () => {
    store = await startActionsCache(token);
    const slow = createObjectsHttp(undefined, { retryBudget: 60_000, retryDelay: 20_000 });
    const backend = createGhaBackend({ http: slow });
    const attrs = { ...service(), url_v2: "http://127.0.0.1:1", timeout: "50ms" };
    await expect(backend.import(attrs, session, call)).rejects.toThrow(/longer than 50ms/);
  });
});
