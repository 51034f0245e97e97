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
import { createS3Backend, signS3 } from "./s3-backend.ts";

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

test("an S3 request is signed as the protocol's documentation computes it", async () => {
  store = await startS3("unused");
  const headers = signS3({
    method: "GET",
    url: new URL("https://examplebucket.s3.amazonaws.com/test.txt"),
    payload: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    region: "us-east-1",
    keys: {
      id: "AKIAIOSFODNN7EXAMPLE",
      secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
      token: undefined,
    },
    now: new Date("2013-05-24T00:00:00Z"),
  });
  expect(headers["x-amz-date"]).toBe("20130524T000000Z");
  expect(headers["authorization"]).toContain(
    "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date,",
  );
});
