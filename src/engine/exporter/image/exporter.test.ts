// Images from solved platforms to a registry in this process: what is stored, what is sent, in what order, under what digests.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  exporterParts,
  namedLayers,
  silentCall,
  solvedPlatform,
  solvedResult,
} from "../../../../test/kit/exporting.ts";
import { startRegistry, type TestRegistry } from "../../../../test/kit/registry.ts";
import { tarOf } from "../../../../test/kit/tar.ts";
import type { Attrs, Session } from "../../../api/index.ts";
import { bytesOf, digestOf } from "../../../base/index.ts";
import {
  type HistoryEntry,
  mediaTypes,
  parseImageConfig,
  parseIndex,
  parseManifest,
} from "../../../formats/oci/index.ts";
import { type ContentStore, openContentStore } from "../../../storage/content/index.ts";
import { createBlobOrigins } from "../../../storage/image/index.ts";
import type { SnapshotLayer, Snapshotter } from "../../../storage/snapshot/index.ts";
import { createExporters } from "../create-exporters.ts";
import type { SolvedResult } from "../exporter.ts";

let root: string;
let registry: TestRegistry;
let content: ContentStore;
let packed: string[];
let snapshotter: Snapshotter;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "kiln-export-"));
  registry = await startRegistry();
  content = await openContentStore(join(root, "content"));
  packed = [];
  snapshotter = namedLayers(packed);
});
afterEach(async () => {
  await registry[Symbol.asyncDispose]();
  rmSync(root, { recursive: true, force: true });
});

const call = silentCall;
const session = {} as Session;
const amd64 = { os: "linux", architecture: "amd64" };
const arm64 = { os: "linux", architecture: "arm64" };
const armv7 = { os: "linux", architecture: "arm", variant: "v7" };

const copied: HistoryEntry = { created_by: "COPY file /", comment: "buildkit.dockerfile.v0" };
const environment: HistoryEntry = { created_by: "ENV A=b", empty_layer: true };

const one = solvedResult(solvedPlatform(amd64, [{ id: "a" }], [environment, copied]));
const three = solvedResult(
  solvedPlatform(amd64, [{ id: "shared" }, { id: "a" }], [copied, copied]),
  solvedPlatform(arm64, [{ id: "shared" }, { id: "b" }], [copied, copied]),
  solvedPlatform(armv7, [{ id: "shared" }, { id: "c" }], [copied, copied]),
);

const parts = (directory = root) => exporterParts(directory, content, snapshotter);

async function exportImage(result: SolvedResult, attrs: Attrs, directory = root): Promise<Attrs> {
  const exporter = createExporters(parts(directory)).get("image");
  if (!exporter) throw new Error("there is no image exporter");
  await using prepared = await exporter.prepare(result, attrs, session, call);
  const response = await prepared.finish(call);
  prepared.keep?.();
  return response;
}

const pushed = (name: string) => ({ name: `${registry.host}/${name}`, push: "true" });

function manifestOf(repository: string, reference: string) {
  const stored = registry.store.manifest(repository, reference);
  if (!stored) throw new Error(`${repository} has no ${reference}`);
  return stored;
}

function configOf(repository: string, reference: string) {
  const manifest = parseManifest(manifestOf(repository, reference).data);
  const data = registry.store.blob(repository, manifest.config.digest);
  if (!data) throw new Error("the configuration was not pushed");
  return { manifest, config: parseImageConfig(data) };
}

test("one platform becomes a plain manifest under its tag", async () => {
  const response = await exportImage(one, pushed("app:1"));
  const { manifest, config } = configOf("app", "1");
  expect(manifestOf("app", "1").mediaType).toBe(mediaTypes.ociManifest);
  expect(response["containerimage.digest"]).toBe(digestOf(manifestOf("app", "1").data));
  expect(response["containerimage.config.digest"]).toBe(manifest.config.digest);
  expect(response["image.name"]).toBe(`${registry.host}/app:1`);
  expect(manifest.layers.map((layer) => layer.mediaType)).toEqual([mediaTypes.ociLayerGzip]);
  expect(config.rootfs.diff_ids).toHaveLength(1);
  expect(config.history).toEqual([
    { ...environment, created: "1980-01-01T00:00:00Z" },
    { ...copied, created: "1980-01-01T00:00:00Z" },
  ]);
  expect(config.created).toBe("1980-01-01T00:00:00Z");
});

test("several platforms become an index with one entry each, in their order", async () => {
  const response = await exportImage(three, pushed("app:1"));
  const { data, mediaType } = manifestOf("app", "1");
  expect(mediaType).toBe(mediaTypes.ociIndex);
  const index = parseIndex(data);
  expect(index.manifests.map((one) => one.platform)).toEqual([amd64, arm64, armv7]);
  for (const { digest, size } of index.manifests) {
    const child = manifestOf("app", digest);
    expect(child.data.length).toBe(size);
    for (const layer of parseManifest(child.data).layers) {
      expect(registry.store.blob("app", layer.digest)?.length).toBe(layer.size);
    }
  }
  const descriptor = JSON.parse(atob(response["containerimage.descriptor"] ?? ""));
  expect(descriptor).toEqual({ mediaType, digest: digestOf(data), size: data.length });
  expect(response["containerimage.config"]).toBeUndefined();
});

test("a shared layer is packed and sent once", async () => {
  await exportImage(three, pushed("app:1"));
  expect(packed.toSorted()).toEqual(["a", "b", "c", "shared"]);
  const uploads = registry.requests.filter(
    (one) => one.method === "PUT" && one.path.includes("/blobs/"),
  );
  // Four layers and three configurations.
  expect(uploads).toHaveLength(7);
});

test("manifests follow all blobs, the tag comes last and is looked at again", async () => {
  await exportImage(three, pushed("app:1"));
  const log = registry.log();
  const lastBlob = log.findLastIndex((line) => line.startsWith("PUT") && line.includes("/blobs/"));
  const firstManifest = log.findIndex(
    (line) => line.startsWith("PUT") && line.includes("/manifests/"),
  );
  expect(lastBlob).toBeLessThan(firstManifest);
  expect(log.slice(-4)).toEqual([
    "HEAD app/manifests/1",
    "GET app/manifests/1",
    "PUT app/manifests/1",
    "HEAD app/manifests/1",
  ]);
});

test("the same input gives the same digest, from another store and at another time", async () => {
  const first = await exportImage(three, pushed("app:1"));
  const other = join(root, "other");
  content = await openContentStore(join(other, "content"));
  const second = await exportImage(three, pushed("app:2"), other);
  expect(second["containerimage.digest"]).toBe(first["containerimage.digest"]);
});

test("a layer that was packed before is not packed again, unless its blob is gone", async () => {
  await exportImage(one, {});
  await exportImage(one, pushed("app:1"));
  expect(packed).toEqual(["a"]);
  const [layer] = configOf("app", "1").manifest.layers;
  await content.delete(layer!.digest);
  await exportImage(one, pushed("app:2"));
  expect(packed).toEqual(["a", "a"]);
});

test("several names get the image everywhere before any gets a tag", async () => {
  const names = ["a:1", "a:2", "b:1"].map((name) => `${registry.host}/${name}`).join(",");
  const response = await exportImage(three, { name: names, push: "true" });
  const digest = response["containerimage.digest"] ?? "";
  for (const [repository, tag] of [
    ["a", "1"],
    ["a", "2"],
    ["b", "1"],
  ] as const) {
    expect(digestOf(manifestOf(repository, tag).data)).toBe(digest);
  }
  const puts = registry
    .log()
    .filter((line) => line.startsWith("PUT") && line.includes("/manifests/"));
  const firstTag = puts.findIndex((line) => /manifests\/[12]$/.test(line));
  expect(puts.slice(firstTag)).toHaveLength(3);
});

test("when one repository refuses a blob, no repository gets a manifest", async () => {
  registry.fail({ method: "POST", path: /^b\/blobs/, times: 100 }, { kind: "status", status: 403 });
  const names = `${registry.host}/a:1,${registry.host}/b:1`;
  await expect(exportImage(three, { name: names, push: "true" })).rejects.toMatchObject({
    code: "REGISTRY_DENIED",
  });
  expect(registry.store.tags("a")).toEqual([]);
  expect(registry.store.tags("b")).toEqual([]);
});

test("when an upload fails, packing stops, and the upload's failure is what is told", async () => {
  registry.fail(
    { method: "POST", path: /^app\/blobs/, times: 100 },
    { kind: "status", status: 403 },
  );
  let stopped = false;
  snapshotter = {
    ...namedLayers(packed),
    async *tar(layer, options, packing) {
      if (layer.id === "quick") yield* namedLayers(packed).tar(layer, options, packing);
      else {
        // Would never end by itself.
        await new Promise((resolve) => packing.signal.addEventListener("abort", resolve));
        stopped = true;
        packing.signal.throwIfAborted();
      }
    },
  };
  const result = solvedResult(solvedPlatform(amd64, [{ id: "quick" }, { id: "endless" }]));
  await expect(exportImage(result, pushed("app:1"))).rejects.toMatchObject({
    code: "REGISTRY_DENIED",
  });
  expect(stopped).toBe(true);
});

/** A base layer as an image source hands it on. */
function baseLayer(data: Uint8Array): SnapshotLayer {
  const tar = tarOf([{ path: "base", data: "base" }]);
  const descriptor = {
    mediaType: mediaTypes.dockerLayerGzip,
    digest: digestOf(data),
    size: data.length,
  };
  return { id: "base", blob: { descriptor, diffId: digestOf(tar) } };
}
const baseData = new Uint8Array(gzipSync(tarOf([{ path: "base", data: "base" }]), { level: 1 }));

test("a base layer keeps its digest and is mounted from the repository it came from", async () => {
  const layer = baseLayer(baseData);
  registry.addBlob("library/base", baseData);
  const origin = `${registry.host}/library/base`;
  createBlobOrigins(join(root, "origins")).add(layer.blob!.descriptor.digest, origin);
  const history = [{ created_by: "base", created: "2020-01-02T03:04:05Z" }, copied];
  await exportImage(
    solvedResult(solvedPlatform(amd64, [layer, { id: "a" }], history)),
    pushed("app:1"),
  );
  const { manifest, config } = configOf("app", "1");
  expect(manifest.layers[0]).toEqual({
    mediaType: mediaTypes.ociLayerGzip,
    digest: layer.blob!.descriptor.digest,
    size: baseData.length,
  });
  expect(config.rootfs.diff_ids[0]).toBe(layer.blob!.diffId);
  expect(config.history?.[0]?.created).toBe("2020-01-02T03:04:05Z");
  expect(packed).toEqual(["a"]);
  expect(registry.log().filter((line) => line.startsWith("GET library/base/blobs"))).toEqual([]);
});

test("a base layer of another registry is streamed over, once for several targets", async () => {
  await using source = await startRegistry();
  const layer = baseLayer(baseData);
  source.addBlob("library/base", baseData);
  const { digest } = layer.blob!.descriptor;
  createBlobOrigins(join(root, "origins")).add(digest, `${source.host}/library/base`);
  const names = `${registry.host}/a:1,${registry.host}/b:1`;
  await exportImage(solvedResult(solvedPlatform(amd64, [layer])), { name: names, push: "true" });
  expect(registry.store.blob("a", digest)).toEqual(baseData);
  expect(registry.store.blob("b", digest)).toEqual(baseData);
  expect(source.log().filter((line) => line.startsWith("GET library/base/blobs"))).toHaveLength(1);
});

test("a base layer that nobody has any more fails the export before anything gets a name", async () => {
  const failure = exportImage(
    solvedResult(solvedPlatform(amd64, [baseLayer(baseData)])),
    pushed("app:1"),
  );
  await expect(failure).rejects.toMatchObject({ code: "STORE_CORRUPT" });
  expect(registry.store.tags("app")).toEqual([]);
});

/** A base layer that is not to be passed on, and is had from `url`. */
function foreignLayer(url: string): SnapshotLayer {
  const { blob } = baseLayer(baseData);
  const descriptor = {
    ...blob!.descriptor,
    mediaType: mediaTypes.dockerForeignLayerGzip,
    urls: [url],
  };
  return { id: "base", blob: { ...blob!, descriptor } };
}

test("a foreign base layer is sent like others and says nothing of its places, unless they are to be kept", async () => {
  await using cloud = await startRegistry();
  await using source = await startRegistry();
  const { digest } = cloud.addBlob("files", baseData);
  const url = `${cloud.url}/v2/files/blobs/${digest}`;
  createBlobOrigins(join(root, "origins")).add(digest, `${source.host}/library/base`);
  const solved = solvedResult(solvedPlatform(amd64, [foreignLayer(url), { id: "a" }]));
  await exportImage(solved, { ...pushed("kept:1"), "prefer-nondist-layers": "true" });
  expect(configOf("kept", "1").manifest.layers[0]).toEqual({
    mediaType: mediaTypes.ociForeignLayerGzip,
    digest,
    size: baseData.length,
    urls: [url],
  });
  expect(registry.store.blob("kept", digest)).toBeUndefined();
  expect(cloud.log()).toEqual([]);
  await exportImage(solved, pushed("plain:1"));
  expect(configOf("plain", "1").manifest.layers[0]).toEqual({
    mediaType: mediaTypes.ociLayerGzip,
    digest,
    size: baseData.length,
  });
  expect(registry.store.blob("plain", digest)).toEqual(baseData);
});

test("force-compression packs base layers anew and keeps what is in them", async () => {
  const layer = baseLayer(baseData);
  await content.write(layer.blob!.descriptor, () => bytesOf(baseData), call);
  const attrs = { ...pushed("app:1"), compression: "uncompressed", "force-compression": "true" };
  await exportImage(solvedResult(solvedPlatform(amd64, [layer])), attrs);
  const { manifest, config } = configOf("app", "1");
  expect(manifest.layers[0]?.mediaType).toBe(mediaTypes.ociLayer);
  expect(manifest.layers[0]?.digest).toBe(layer.blob!.diffId);
  expect(config.rootfs.diff_ids).toEqual([layer.blob!.diffId]);
});

test("docker media types are used for everything where they are asked for", async () => {
  await exportImage(three, { ...pushed("app:1"), "oci-mediatypes": "false" });
  const { data, mediaType } = manifestOf("app", "1");
  expect(mediaType).toBe(mediaTypes.dockerIndex);
  const [first] = parseIndex(data).manifests;
  const { manifest } = configOf("app", first!.digest);
  expect([manifest.mediaType, manifest.config.mediaType, manifest.layers[0]?.mediaType]).toEqual([
    mediaTypes.dockerManifest,
    mediaTypes.dockerConfig,
    mediaTypes.dockerLayerGzip,
  ]);
});

test("a layer that holds nothing is left out, and its line says so", async () => {
  const layers = [{ id: "a" }, { id: "empty" }, { id: "b" }];
  await exportImage(
    solvedResult(solvedPlatform(amd64, layers, [copied, copied, copied])),
    pushed("app:1"),
  );
  const { manifest, config } = configOf("app", "1");
  expect(manifest.layers).toHaveLength(2);
  expect(config.history?.map((line) => line.empty_layer)).toEqual([undefined, true, undefined]);
  const uploads = registry.requests.filter(
    (sent) => sent.method === "PUT" && sent.path.includes("/blobs/"),
  );
  expect(uploads).toHaveLength(3);
});

test("scratch has no layers", async () => {
  await exportImage(solvedResult(solvedPlatform(amd64, [], [environment])), pushed("app:1"));
  const { manifest, config } = configOf("app", "1");
  expect(manifest.layers).toEqual([]);
  expect(config.rootfs.diff_ids).toEqual([]);
});

test("SOURCE_DATE_EPOCH sets the times of image and files, the attribute before the build's", async () => {
  const epoch = 1_600_000_000;
  await exportImage({ ...one, sourceDateEpoch: epoch }, pushed("app:1"));
  await exportImage(
    { ...one, sourceDateEpoch: 5 },
    { ...pushed("app:2"), "source-date-epoch": `${epoch}` },
  );
  expect(configOf("app", "1").config.created).toBe("2020-09-13T12:26:40Z");
  expect(manifestOf("app", "2").data).toEqual(manifestOf("app", "1").data);
  expect(packed).toEqual(["a"]);
});

test("rewrite-timestamp=false keeps real times", async () => {
  await exportImage(one, { ...pushed("app:1"), "rewrite-timestamp": "false" });
  expect(configOf("app", "1").config.created).toBe("2026-05-06T07:08:09.1Z");
});

test("annotations go where they are meant to", async () => {
  await exportImage(three, {
    ...pushed("app:1"),
    "annotation.all": "a",
    "annotation[linux/arm64].own": "b",
    "annotation-index.i": "c",
    "annotation-manifest-descriptor[linux/arm/v7].d": "d",
  });
  const index = parseIndex(manifestOf("app", "1").data);
  expect(index.annotations).toEqual({ i: "c" });
  expect(index.manifests.map((child) => child.annotations)).toEqual([
    undefined,
    undefined,
    { d: "d" },
  ]);
  const annotations = index.manifests.map(
    ({ digest }) => parseManifest(manifestOf("app", digest).data).annotations,
  );
  expect(annotations).toEqual([{ all: "a" }, { all: "a", own: "b" }, { all: "a" }]);
});

test("push-by-digest gives no tag", async () => {
  const response = await exportImage(one, { ...pushed("app"), "push-by-digest": "true" });
  expect(registry.store.tags("app")).toEqual([]);
  manifestOf("app", response["containerimage.digest"] ?? "");
});

test("without push nothing is sent, and the store knows the name", async () => {
  const response = await exportImage(one, { name: "hello,r.example/x:2" });
  expect(registry.log()).toEqual([]);
  const names = parts().records.list();
  expect(names.map((record) => record.name)).toEqual([
    "docker.io/library/hello:latest",
    "r.example/x:2",
  ]);
  const digest = response["containerimage.digest"];
  expect(names.map((record) => record.descriptor.digest)).toEqual([digest, digest]);
  expect(await content.has(names[0]!.descriptor.digest, call)).toBe(true);
});

test("what would fail is known before: a registry that refuses, an image without a name", async () => {
  await using locked = await startRegistry({
    auth: { kind: "basic", username: "u", password: "p" },
  });
  const exporter = createExporters(parts()).get("image");
  const check = (attrs: Attrs) => exporter?.check?.(attrs, session, call);
  await expect(check({ name: `${locked.host}/x`, push: "true" })).rejects.toMatchObject({
    code: "REGISTRY_DENIED",
  });
  await expect(check({ push: "true" })).rejects.toMatchObject({ code: "FLAG_INVALID" });
  await check({ name: `${locked.host}/x` });
  await check(pushed("x"));
});

test("type registry is type image that pushes", async () => {
  const exporter = createExporters(parts()).get("registry");
  await using prepared = await exporter!.prepare(
    one,
    { name: `${registry.host}/r:1` },
    session,
    call,
  );
  await prepared.finish(call);
  prepared.keep?.();
  manifestOf("r", "1");
});

test("layers of a base that says they must not be passed on are like others, unless that is preferred", async () => {
  const data = gzipSync(tarOf([{ path: "windows", data: "x" }]));
  const blob = registry.addBlob("base", data, mediaTypes.dockerForeignLayerGzip);
  const diffId = digestOf(tarOf([{ path: "windows", data: "x" }]));
  const origins = createBlobOrigins(join(root, "origins"));
  origins.add(blob.digest, `${registry.host}/base`);
  const foreign = { descriptor: { ...blob, mediaType: mediaTypes.dockerForeignLayerGzip }, diffId };
  const solved = solvedResult(solvedPlatform(amd64, [{ id: "f", blob: foreign }], [copied]));
  await exportImage(solved, pushed("app:1"));
  const [usual] = configOf("app", "1").manifest.layers;
  expect(usual?.mediaType).toBe(mediaTypes.ociLayerGzip);
  await exportImage(solved, { ...pushed("app:2"), "prefer-nondist-layers": "true" });
  const [kept] = configOf("app", "2").manifest.layers;
  expect(kept?.mediaType).toBe(mediaTypes.ociForeignLayerGzip);
});
