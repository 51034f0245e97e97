// Pushing: what is not sent, what is sent once, and what is sent again.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startRegistry, type TestRegistry } from "../../../test/kit/registry.ts";
import { call, someBytes, source, testClient } from "../../../test/kit/registry-client.ts";
import { digestOf } from "../../base/index.ts";
import { type Descriptor, mediaTypes } from "../../formats/oci/index.ts";

const layer = someBytes(300_000);
// Comparing digests is faster than comparing arrays element by element.
const isLayer = (data: Uint8Array) => digestOf(data) === digestOf(layer);
const blob: Descriptor = {
  mediaType: mediaTypes.ociLayerGzip,
  digest: digestOf(layer),
  size: layer.length,
};

let registry: TestRegistry;
beforeEach(async () => {
  registry = await startRegistry();
});
afterEach(() => registry[Symbol.asyncDispose]());

const app = (host = registry.host, limits = {}) => testClient({ limits }).push(`${host}/team/app`);
const stored = (from = registry) => from.store.blob("team/app", blob.digest);

describe("a blob", () => {
  test("is sent in one piece", async () => {
    const data = source(layer);
    expect(await app().push(blob, data.open, {}, call)).toBe("uploaded");
    expect(stored()).toSatisfy(isLayer);
    expect(registry.log().slice(1)).toEqual([
      `HEAD team/app/blobs/${blob.digest.slice(0, 13)}`,
      "POST team/app/blobs/uploads/",
      "PUT team/app/blobs/uploads/ID",
    ]);
  });

  test("that is there already is not read", async () => {
    registry.addBlob("team/app", layer);
    const data = source(layer);
    expect(await app().push(blob, data.open, {}, call)).toBe("exists");
    await app().write(blob, data.open, call);
    expect(data.opened()).toBe(0);
  });

  test("is mounted from another repository of the host, others being passed over", async () => {
    registry.addBlob("base/debian", layer);
    const data = source(layer);
    const mountFrom = [
      "docker.io/library/debian",
      `${registry.host}/team/app`,
      `${registry.host}/base/debian`,
    ];
    expect(await app().push(blob, data.open, { mountFrom }, call)).toBe("mounted");
    expect(data.opened()).toBe(0);
    expect(stored()).toSatisfy(isLayer);
  });

  test("that cannot be mounted uses the upload that the registry opened instead", async () => {
    const mountFrom = [`${registry.host}/none`];
    expect(await app().push(blob, source(layer).open, { mountFrom }, call)).toBe("uploaded");
    expect(registry.log().filter((line) => line.startsWith("POST"))).toHaveLength(1);
  });

  test("says how much of it is sent", async () => {
    const seen: number[] = [];
    const onProgress = (sent: number, total: number) => seen.push(sent, total);
    await app().push(blob, source(layer).open, { onProgress }, call);
    expect(seen.slice(-2)).toEqual([layer.length, layer.length]);
  });

  test.each([405, 411, 413])(
    "is sent in pieces where status %i refuses it whole",
    async (refuseWhole) => {
      await using picky = await startRegistry({ refuseWhole });
      await app(picky.host, { chunkSize: 100_001 }).write(blob, source(layer).open, call);
      expect(stored(picky)).toSatisfy(isLayer);
      const patches = picky.requests.filter(({ method }) => method === "PATCH");
      expect(patches.map(({ headers }) => headers["content-range"])).toEqual([
        "0-100000",
        "100001-200001",
        "200002-299999",
      ]);
    },
  );

  test("goes where the registry says, with the parameters it wants back", async () => {
    await using cloudy = await startRegistry({ absoluteLocations: true });
    await app(cloudy.host).write(blob, source(layer).open, call);
    expect(stored(cloudy)).toSatisfy(isLayer);
  });

  test.each([
    ["is cut", { kind: "cut", after: 100_000 }],
    ["is answered with 503", { kind: "status", status: 503 }],
    ["is answered with 429", { kind: "status", status: 429, headers: { "retry-after": "0" } }],
    ["is refused half-way with 500", { kind: "refuse", after: 100_000, status: 500 }],
  ] as const)("is read and sent again when the upload %s", async (_, fault) => {
    registry.fail({ method: "PUT" }, fault);
    const data = source(layer);
    expect(await app().push(blob, data.open, {}, call)).toBe("uploaded");
    expect(stored()).toSatisfy(isLayer);
    expect(data.opened()).toBeGreaterThan(0);
  });

  test("is sent again when a piece of it was cut", async () => {
    await using picky = await startRegistry({ refuseWhole: 405 });
    picky.fail({ method: "PATCH", after: 1 }, { kind: "cut", after: 10_000 });
    await app(picky.host, { chunkSize: 100_000 }).write(blob, source(layer).open, call);
    expect(stored(picky)).toSatisfy(isLayer);
  });

  test("is sent again after a cut even when it has gone well for longer than patience lasts", async () => {
    registry.fail({ method: "PUT" }, { kind: "cut", after: 250_000 });
    const slow = async function* () {
      for (let at = 0; at < layer.length; at += 50_000) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        yield layer.subarray(at, at + 50_000);
      }
    };
    const limits = { retryBudget: 60 };
    expect(await app(registry.host, limits).push(blob, slow, {}, call)).toBe("uploaded");
    expect(stored()).toSatisfy(isLayer);
  });

  test("that cannot be read fails with that error, at once", async () => {
    const broken = async function* () {
      yield layer.subarray(0, 1000);
      throw new Error("disk on fire");
    };
    await expect(app().write(blob, broken, call)).rejects.toThrow("disk on fire");
    expect(registry.requests.filter(({ method }) => method === "PUT").length).toBeLessThanOrEqual(
      1,
    );
  });

  test("that is shorter than it says fails, at once", async () => {
    const short = source(layer.subarray(0, 1000));
    await expect(app().write(blob, short.open, call)).rejects.toThrow(/1000 bytes where 300000/);
    expect(short.opened()).toBe(1);
  });

  test("with other contents is refused by the registry", async () => {
    const wrong = source(someBytes(300_000, 2));
    await expect(app().write(blob, wrong.open, call)).rejects.toMatchObject({
      code: "REGISTRY_FAILED",
      details: { status: 400, registryCode: "DIGEST_INVALID" },
    });
  });
});

describe("a manifest", () => {
  const data = new TextEncoder().encode('{"schemaVersion":2}');
  const descriptor = { mediaType: mediaTypes.ociIndex, digest: digestOf(data), size: data.length };

  test("is put under a tag, or under its digest", async () => {
    await app().writeManifest(descriptor, data, "v1", call);
    await app().writeManifest(descriptor, data, undefined, call);
    expect(registry.store.manifest("team/app", "v1")?.mediaType).toBe(mediaTypes.ociIndex);
    expect(registry.log().slice(-1)).toEqual([
      `PUT team/app/manifests/${descriptor.digest.slice(0, 13)}`,
    ]);
  });

  test("is sent again after 500", async () => {
    registry.fail({ method: "PUT", times: 2 }, { kind: "status", status: 500 });
    await app().writeManifest(descriptor, data, "v1", call);
    expect(registry.store.manifest("team/app", "v1")?.data).toEqual(data);
  });

  test("of which the registry says that it stored another is an error", async () => {
    const other = digestOf("other");
    const headers = { "docker-content-digest": other };
    registry.fail({ method: "PUT" }, { kind: "status", status: 201, headers });
    await expect(app().writeManifest(descriptor, data, "v1", call)).rejects.toMatchObject({
      code: "BLOB_CORRUPT",
    });
  });

  test("too large for registries is not sent", async () => {
    const large = new Uint8Array(4 * 1024 * 1024 + 1);
    await expect(app().writeManifest(descriptor, large, "v1", call)).rejects.toMatchObject({
      code: "IMAGE_INVALID",
    });
    expect(registry.requests).toHaveLength(0);
  });

  test("that was pushed is found by those who push", async () => {
    await app().writeManifest(descriptor, data, "v1", call);
    expect(await app().resolve("v1", call)).toEqual(descriptor);
    expect(await app().readManifest(descriptor, call)).toEqual(data);
  });
});

describe("checking that one may push", () => {
  test("opens an upload and gives it up", async () => {
    await testClient().checkPush(`${registry.host}/team/app`, call);
    expect(registry.log().slice(1)).toEqual([
      "POST team/app/blobs/uploads/",
      "DELETE team/app/blobs/uploads/ID",
    ]);
  });

  test("says that the registry denies it", async () => {
    const body = JSON.stringify({
      errors: [{ code: "DENIED", message: "requested access is denied" }],
    });
    registry.fail({ method: "POST" }, { kind: "status", status: 403, body });
    await expect(testClient().checkPush(`${registry.host}/team/app`, call)).rejects.toMatchObject({
      code: "REGISTRY_DENIED",
      hint: expect.stringContaining(`kiln login ${registry.host}`),
      message: expect.stringContaining("DENIED: requested access is denied"),
    });
  });
});

test("mirrors are never pushed to", async () => {
  await using mirror = await startRegistry();
  const hosts = { [registry.host]: { mirrors: [mirror.host] } };
  await testClient({ hosts }).push(`${registry.host}/a`).write(blob, source(layer).open, call);
  expect(mirror.requests).toHaveLength(0);
});

test("copying within one host does not lock itself", async () => {
  const client = testClient({ limits: { transfersPerHost: 1 } });
  registry.addBlob("a", layer);
  const from = client.pull(`${registry.host}/a`);
  const to = client.push(`${registry.host}/b`);
  await to.write(blob, () => from.read(blob, call), call);
  expect(registry.store.blob("b", blob.digest)).toSatisfy(isLayer);
});
