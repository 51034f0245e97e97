// Pulling from a registry that is well, unwell, slow, or lying.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startRegistry, type TestRegistry } from "../../../test/kit/registry.ts";
import { call, gather, someBytes, testClient } from "../../../test/kit/registry-client.ts";
import { digestOf, isKilnError } from "../../base/index.ts";
import { mediaTypes } from "../../formats/oci/index.ts";
import type { PullRepository } from "./index.ts";

const manifest = new TextEncoder().encode(
  `{"schemaVersion":2,"mediaType":"${mediaTypes.ociIndex}","manifests":[]}`,
);
const layer = someBytes(300_000);
// Comparing digests is faster than comparing arrays element by element.
const isLayer = (data: Uint8Array) => digestOf(data) === digestOf(layer);

let registry: TestRegistry;
let repository: PullRepository;
beforeEach(async () => {
  registry = await startRegistry();
  repository = testClient().pull(`${registry.host}/team/app`);
});
afterEach(() => registry[Symbol.asyncDispose]());

describe("a tag", () => {
  test("costs one HEAD to look up", async () => {
    const stored = registry.addManifest("team/app", "1", manifest, mediaTypes.ociIndex);
    expect(await repository.resolve("1", call)).toEqual(stored);
    expect(registry.log()).toEqual(["GET ", "HEAD team/app/manifests/1"]);
  });

  test("that does not exist is undefined", async () => {
    expect(await repository.resolve("none", call)).toBeUndefined();
  });

  test.each([
    ["refuses HEAD", { noHead: true }],
    ["says nothing in HEAD", { bareHead: true }],
  ])(
    "of a registry that %s is looked up by GET, and its document is not fetched twice",
    async (_, rules) => {
      await using odd = await startRegistry(rules);
      const stored = odd.addManifest("a", "1", manifest, mediaTypes.ociIndex);
      const from = testClient().pull(`${odd.host}/a`);
      expect(await from.resolve("1", call)).toEqual(stored);
      odd.forgetRequests();
      expect(await from.readManifest(stored, call)).toEqual(manifest);
      expect(odd.log()).toEqual([]);
    },
  );
});

describe("a manifest", () => {
  test("is read by digest and checked", async () => {
    const stored = registry.addManifest("team/app", undefined, manifest, mediaTypes.ociIndex);
    expect(await repository.readManifest(stored, call)).toEqual(manifest);
    registry.fail({ path: /manifests/ }, { kind: "corrupt", at: 3 });
    await expect(repository.readManifest(stored, call)).rejects.toMatchObject({
      code: "BLOB_CORRUPT",
    });
  });

  test("that is gone is an error", async () => {
    const missing = { mediaType: mediaTypes.ociIndex, digest: digestOf("none"), size: 4 };
    await expect(repository.readManifest(missing, call)).rejects.toMatchObject({
      code: "IMAGE_NOT_FOUND",
    });
  });

  test("of a lying HEAD is asked for by GET", async () => {
    const stored = registry.addManifest("team/app", "1", manifest, mediaTypes.ociIndex);
    registry.fail({ method: "HEAD" }, { kind: "mislabel", digest: "sha256:nonsense" });
    expect(await repository.resolve("1", call)).toEqual(stored);
  });
});

describe("a blob", () => {
  test("is read whole", async () => {
    const blob = registry.addBlob("team/app", layer);
    expect(await gather(repository.read(blob, call))).toSatisfy(isLayer);
  });

  test("of no bytes is read too", async () => {
    const blob = registry.addBlob("team/app", "");
    expect(await gather(repository.read(blob, call))).toHaveLength(0);
  });

  test("goes on where the connection was cut, several times", async () => {
    const blob = registry.addBlob("team/app", layer);
    registry.fail({ path: /blobs/ }, { kind: "cut", after: 100_000 });
    registry.fail({ path: /blobs/ }, { kind: "cut", after: 50_000 });
    expect(await gather(repository.read(blob, call))).toSatisfy(isLayer);
    const ranges = registry.requests.map((request) => request.headers.range).filter(Boolean);
    expect(ranges).toHaveLength(2);
    expect(ranges[1]).toBe("bytes=150000-299999");
  });

  test("goes on where an answer ended early", async () => {
    const blob = registry.addBlob("team/app", layer);
    registry.fail({ path: /blobs/ }, { kind: "truncate", after: 1000 });
    expect(await gather(repository.read(blob, call))).toSatisfy(isLayer);
  });

  test("is read again from its beginning where the server does not know ranges", async () => {
    await using simple = await startRegistry({ noRanges: true });
    const blob = simple.addBlob("a", layer);
    simple.fail({ path: /blobs/ }, { kind: "cut", after: 100_000 });
    expect(await gather(testClient().pull(`${simple.host}/a`).read(blob, call))).toSatisfy(isLayer);
  });

  test("that never gets further is given up, saying why", async () => {
    const blob = registry.addBlob("team/app", layer);
    registry.fail({ path: /blobs/, times: 100 }, { kind: "cut", after: 1 });
    await expect(gather(repository.read(blob, call))).rejects.toMatchObject({
      code: "REGISTRY_UNREACHABLE",
    });
    expect(registry.requests.length).toBeLessThan(20);
  });

  test("with a wrong byte is refused at its end", async () => {
    const blob = registry.addBlob("team/app", layer);
    registry.fail({ path: /blobs/ }, { kind: "corrupt", at: 5 });
    await expect(gather(repository.read(blob, call))).rejects.toMatchObject({
      code: "BLOB_CORRUPT",
    });
  });

  test("that goes on too long is refused", async () => {
    const blob = registry.addBlob("team/app", layer);
    registry.fail({ path: /blobs/ }, { kind: "extra", bytes: 1 });
    await expect(gather(repository.read(blob, call))).rejects.toMatchObject({
      code: "BLOB_CORRUPT",
    });
  });

  test("of another size is refused before a byte is read", async () => {
    const blob = registry.addBlob("team/app", layer);
    const read = repository.read({ ...blob, size: 5 }, call)[Symbol.asyncIterator]();
    await expect(read.next()).rejects.toMatchObject({ code: "BLOB_CORRUPT" });
  });

  test("that is gone is an error that names it", async () => {
    const blob = { mediaType: "x", digest: digestOf("none"), size: 4 };
    await expect(gather(repository.read(blob, call))).rejects.toSatisfy(
      (error) => isKilnError(error, "IMAGE_NOT_FOUND") && error.message.includes(blob.digest),
    );
  });

  test("arrives slowly without being given up", async () => {
    const blob = registry.addBlob("team/app", layer);
    registry.fail({ path: /blobs/ }, { kind: "slow", piece: 30_000, pause: 5 });
    expect(await gather(repository.read(blob, call))).toSatisfy(isLayer);
  });

  test("follows a redirect without taking the credentials along", async () => {
    await using cloud = await startRegistry();
    await using front = await startRegistry({
      blobsAt: cloud.url,
      auth: { kind: "basic", username: "me", password: "secret" },
    });
    const blob = front.addBlob("a", layer);
    cloud.addBlob("a", layer);
    const client = testClient({
      credentials: async () => ({ username: "me", password: "secret" }),
    });
    expect(await gather(client.pull(`${front.host}/a`).read(blob, call))).toSatisfy(isLayer);
    expect(cloud.requests.map((request) => request.headers.authorization)).toEqual([undefined]);
    expect(front.requests.at(-1)?.headers.authorization).toMatch(/^Basic /);
  });

  test("keeps going past a redirect whose target has cut the connection", async () => {
    await using cloud = await startRegistry();
    await using front = await startRegistry({ blobsAt: cloud.url });
    const blob = front.addBlob("a", layer);
    cloud.addBlob("a", layer);
    cloud.fail({}, { kind: "cut", after: 70_000 });
    expect(await gather(testClient().pull(`${front.host}/a`).read(blob, call))).toSatisfy(isLayer);
    // A signed URL may have expired: the registry is asked for a new one.
    expect(front.log().filter((line) => line.startsWith("GET a/blobs"))).toHaveLength(2);
  });

  describe("that is foreign", () => {
    const foreign = (
      urls: readonly string[],
      mediaType: string = mediaTypes.dockerForeignLayerGzip,
    ) => ({
      mediaType,
      digest: digestOf(layer),
      size: layer.length,
      urls,
    });

    test("is read from its first URL that answers, without credentials, and not from the registry", async () => {
      await using cloud = await startRegistry();
      await using home = await startRegistry({
        auth: { kind: "basic", username: "me", password: "secret" },
      });
      const { digest } = cloud.addBlob("files", layer);
      const client = testClient({
        credentials: async () => ({ username: "me", password: "secret" }),
      });
      const urls = [
        "ftp://example.com/layer",
        "not a URL",
        `${cloud.url}/v2/files/blobs/${digestOf("gone")}`,
        `${cloud.url}/v2/files/blobs/${digest}`,
      ];
      const from = client.pull(`${home.host}/a`);
      expect(await gather(from.read(foreign(urls), call))).toSatisfy(isLayer);
      expect(cloud.requests.map(({ headers }) => headers.authorization)).toEqual([
        undefined,
        undefined,
      ]);
      expect(home.log().filter((line) => line.includes("blobs"))).toEqual([]);
    });

    test("is read from the registry where no URL answers", async () => {
      registry.addBlob("team/app", layer);
      const urls = [`${registry.url}/nothing/here`, "http://127.0.0.1:1/layer"];
      expect(await gather(repository.read(foreign(urls), call))).toSatisfy(isLayer);
    });

    test("is refused where a URL has other bytes", async () => {
      await using cloud = await startRegistry();
      const other = cloud.addBlob("files", someBytes(layer.length, 7));
      const urls = [`${cloud.url}/v2/files/blobs/${other.digest}`];
      await expect(gather(repository.read(foreign(urls), call))).rejects.toMatchObject({
        code: "BLOB_CORRUPT",
      });
    });

    test("has no say about other layers: their URLs are not asked", async () => {
      await using cloud = await startRegistry();
      registry.addBlob("team/app", layer);
      const plain = foreign([`${cloud.url}/v2/files/blobs/x`], mediaTypes.ociLayerGzip);
      expect(await gather(repository.read(plain, call))).toSatisfy(isLayer);
      expect(cloud.log()).toEqual([]);
    });
  });

  test("is known by HEAD", async () => {
    const blob = registry.addBlob("team/app", layer);
    expect(await repository.has(blob.digest, call)).toBe(true);
    expect(await repository.has(digestOf("none"), call)).toBe(false);
  });
});

describe("cancelling", () => {
  test("ends a silent request with the reason given", async () => {
    registry.fail({ path: /manifests/ }, { kind: "silence" });
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error("enough")), 30);
    await expect(repository.resolve("1", { signal: controller.signal })).rejects.toThrow("enough");
  });

  test("ends a download half-way", async () => {
    const blob = registry.addBlob("team/app", layer);
    registry.fail({ path: /blobs/ }, { kind: "slow", piece: 1000, pause: 5 });
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error("enough")), 50);
    await expect(gather(repository.read(blob, { signal: controller.signal }))).rejects.toThrow(
      "enough",
    );
  });

  test("ends a pause before another attempt", async () => {
    registry.fail(
      { path: /manifests/ },
      { kind: "status", status: 429, headers: { "retry-after": "2" } },
    );
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error("enough")), 30);
    await expect(repository.resolve("1", { signal: controller.signal })).rejects.toThrow("enough");
  });
});

test("leaving a download early gives its place back", async () => {
  const client = testClient({ limits: { transfersPerHost: 1 } });
  const blob = registry.addBlob("team/app", layer);
  const from = client.pull(`${registry.host}/team/app`);
  for await (const _ of from.read(blob, call)) break;
  expect(await gather(from.read(blob, call))).toSatisfy(isLayer);
});

test("a repository that is no normalised name is refused", () => {
  expect(() => testClient().pull("busybox")).toThrow(
    expect.objectContaining({ code: "REFERENCE_INVALID" }),
  );
  expect(() => testClient().pull("docker.io/library/busybox:1")).toThrow();
});
