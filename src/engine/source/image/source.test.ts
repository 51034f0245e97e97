// Images as a source: how often a registry is asked, what names a step's result, and when layers travel.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startRegistry, type TestRegistry } from "../../../../test/kit/registry.ts";
import type { Attrs, BuildEvent, Session, StepCall } from "../../../api/index.ts";
import { bytesOf, digestOf, readAll, uncancelled } from "../../../base/index.ts";
import {
  type Descriptor,
  mediaTypes,
  serializeImageConfig,
  serializeIndex,
  serializeManifest,
} from "../../../formats/oci/index.ts";
import { type ContentStore, openContentStore } from "../../../storage/content/index.ts";
import { createBlobOrigins, createImageRecords } from "../../../storage/image/index.ts";
import { createRegistry } from "../../../storage/registry/index.ts";
import type { LazyLayer, Snapshot, Snapshotter } from "../../../storage/snapshot/index.ts";
import { createImageSource } from "./source.ts";

let root: string;
let registry: TestRegistry;
let content: ContentStore;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "kiln-image-source-"));
  registry = await startRegistry();
  content = await openContentStore(join(root, "content"));
});
afterEach(async () => {
  await registry[Symbol.asyncDispose]();
  rmSync(root, { recursive: true, force: true });
});

const amd64 = { os: "linux", architecture: "amd64" };
const arm64 = { os: "linux", architecture: "arm64" };
const call: StepCall = { ...uncancelled, step: digestOf("step"), emit() {} };
const client = createRegistry({
  credentials: async () => undefined,
  hosts: {},
  userAgent: "kiln-test",
  environment: {},
  limits: { retryBudget: 200, retryDelay: 1 },
});

let fetched: readonly LazyLayer[] = [];
const snapshotter = {
  async image(layers: readonly LazyLayer[]) {
    fetched = layers;
    return { id: "image", layers: [] } as Partial<Snapshot> as Snapshot;
  },
} as Partial<Snapshotter> as Snapshotter;

function sourceWith(store = content) {
  return createImageSource({
    registry: () => client,
    content: store,
    snapshotter,
    records: createImageRecords(join(root, "images")),
    origins: createBlobOrigins(join(root, "origins")),
  });
}

interface Documents {
  readonly manifest: Descriptor;
  readonly layers: readonly Descriptor[];
}

/** One platform's image whose layers are the given texts. */
function addImage(platform: typeof amd64, layers: readonly string[], env = "A=b"): Documents {
  const blobs = layers.map((text) => registry.addBlob("app", text, mediaTypes.ociLayerGzip));
  const config = serializeImageConfig({
    ...platform,
    config: { Env: [env] },
    rootfs: { type: "layers", diff_ids: layers.map((text) => digestOf(`tar of ${text}`)) },
  });
  const manifest = serializeManifest({
    mediaType: mediaTypes.ociManifest,
    config: registry.addBlob("app", config, mediaTypes.ociConfig),
    layers: blobs,
  });
  const descriptor = registry.addManifest("app", undefined, manifest, mediaTypes.ociManifest);
  return { manifest: descriptor, layers: blobs };
}

function addIndex(tag: string, ...children: readonly (readonly [typeof amd64, Documents])[]) {
  const manifests = children.map(([platform, { manifest }]) => ({ ...manifest, platform }));
  const data = serializeIndex({ mediaType: mediaTypes.ociIndex, manifests });
  return registry.addManifest("app", tag, data, mediaTypes.ociIndex);
}

function addApp(tag = "1") {
  const both = [
    [amd64, addImage(amd64, ["base", "amd64"])],
    [arm64, addImage(arm64, ["base", "arm64"])],
  ] as const;
  return { index: addIndex(tag, ...both), amd64: both[0][1], arm64: both[1][1] };
}

const session = (): Session => ({}) as Session;
const name = (tag: string) => `${registry.host}/app:${tag}`;
const sourceId = (rest: string, attrs: Attrs = {}, platform = amd64) => ({
  scheme: "docker-image",
  rest,
  attrs,
  platform,
});

test("a frontend learns digest and configuration of one platform", async () => {
  const { index } = addApp();
  const image = await sourceWith().resolveImage(name("1"), { platform: arm64 }, session(), call);
  expect(image.reference).toBe(`${name("1")}@${index.digest}`);
  expect(image.digest).toBe(index.digest);
  expect(image.config.architecture).toBe("arm64");
  expect(JSON.parse(new TextDecoder().decode(image.rawConfig)).config.Env).toEqual(["A=b"]);
});

test("one build asks for a name once, however many platforms and steps use it", async () => {
  addApp();
  const source = sourceWith();
  const build = session();
  const [one] = await Promise.all([
    source.resolveImage(name("1"), { platform: amd64 }, build, call),
    source.resolveImage(name("1"), { platform: arm64 }, build, call),
  ]);
  await source.resolve(sourceId(one.reference), build, call);
  expect(registry.log().filter((line) => line.startsWith("HEAD app/manifests"))).toHaveLength(1);
});

test("another build with an unchanged tag costs one request", async () => {
  addApp();
  await sourceWith().resolveImage(name("1"), { platform: amd64 }, session(), call);
  registry.forgetRequests();
  await sourceWith().resolveImage(name("1"), { platform: amd64 }, session(), call);
  expect(registry.log().filter((line) => !line.endsWith(" "))).toEqual(["HEAD app/manifests/1"]);
});

test("another build sees that a tag has moved", async () => {
  addApp();
  const source = sourceWith();
  const first = await source.resolveImage(name("1"), { platform: amd64 }, session(), call);
  addIndex("1", [amd64, addImage(amd64, ["new"])]);
  const second = await source.resolveImage(name("1"), { platform: amd64 }, session(), call);
  expect(second.digest).not.toBe(first.digest);
});

test("layers are not touched before somebody reads them", async () => {
  const { amd64: image } = addApp();
  const resolved = await sourceWith().resolve(sourceId(name("1")), session(), call);
  await resolved.fetch(call);
  expect(fetched.map((layer) => layer.descriptor.digest)).toEqual(
    image.layers.map((one) => one.digest),
  );
  expect(fetched.map((layer) => layer.diffId)).toEqual([
    digestOf("tar of base"),
    digestOf("tar of amd64"),
  ]);
  const asked = () => registry.requests.map((one) => one.path);
  const layerPath = `app/blobs/${image.layers[1]!.digest}`;
  expect(asked()).not.toContain(layerPath);
  const data = await readAll(fetched[1]!.fetch(call), 100, "layer");
  expect(new TextDecoder().decode(data)).toBe("amd64");
  expect(asked()).toContain(layerPath);
});

test("a layer that the store has is not downloaded", async () => {
  const { amd64: image } = addApp();
  const [layer] = image.layers;
  await content.write(layer!, () => bytesOf("base"), call);
  const resolved = await sourceWith().resolve(sourceId(name("1")), session(), call);
  await resolved.fetch(call);
  registry.forgetRequests();
  await readAll(fetched[0]!.fetch(call), 100, "layer");
  expect(registry.log()).toEqual([]);
});

test("reading a layer is progress of the step that named the image", async () => {
  const { amd64: image } = addApp();
  const events: BuildEvent[] = [];
  const naming = { ...call, emit: (event: BuildEvent) => events.push(event) };
  await (await sourceWith().resolve(sourceId(name("1")), session(), naming)).fetch(naming);
  await readAll(fetched[0]!.fetch({ signal: call.signal }), 100, "layer");
  const { digest, size } = image.layers[0]!;
  expect(events.at(-1)).toMatchObject({
    id: digest,
    step: call.step,
    current: size,
    total: size,
    done: true,
  });
});

test("the repository is remembered as the origin of its layers", async () => {
  const { amd64: image } = addApp();
  await (await sourceWith().resolve(sourceId(name("1")), session(), call)).fetch(call);
  const origins = createBlobOrigins(join(root, "origins"));
  expect(origins.repositories(image.layers[0]!.digest)).toEqual([`${registry.host}/app`]);
});

test("the cache key is the layers: another configuration makes no difference, other layers do", async () => {
  addIndex("1", [amd64, addImage(amd64, ["base"], "A=1")]);
  addIndex("2", [amd64, addImage(amd64, ["base"], "A=2")]);
  addIndex("3", [amd64, addImage(amd64, ["base", "more"], "A=1")]);
  const source = sourceWith();
  const key = async (tag: string, attrs: Attrs = {}) =>
    (await source.resolve(sourceId(name(tag), attrs), session(), call)).cacheKey;
  expect(await key("1")).toBe(await key("2"));
  expect(await key("1")).not.toBe(await key("3"));
  expect(await key("3", { "image.layerlimit": "1" })).toBe(await key("1"));
});

test("an image without layers is the empty file system", async () => {
  addIndex("1", [amd64, addImage(amd64, [])]);
  const resolved = await sourceWith().resolve(sourceId(name("1")), session(), call);
  expect(await resolved.fetch(call)).toBeUndefined();
});

test("a demanded digest must be the one that is found", async () => {
  const { index } = addApp();
  const source = sourceWith();
  const resolve = (checksum: string) =>
    source.resolve(sourceId(name("1"), { "image.checksum": checksum }), session(), call);
  await resolve(index.digest);
  await expect(resolve(digestOf("other"))).rejects.toMatchObject({ code: "BLOB_CORRUPT" });
});

for (const attrs of [
  { "image.resolvemode": "sometimes" },
  { "image.layerlimit": "0" },
  { "image.checksum": "sha256:1" },
]) {
  test(`${JSON.stringify(attrs)} is refused`, async () => {
    const failure = sourceWith().resolve(sourceId(name("1"), attrs), session(), call);
    await expect(failure).rejects.toMatchObject({ code: "DEFINITION_INVALID" });
  });
}

/** An image that was built here under a name that no registry has. */
async function addLocal(text: string): Promise<Descriptor> {
  const write = async (data: Uint8Array, mediaType: string) => {
    const descriptor = { mediaType, digest: digestOf(data), size: data.length };
    await content.write(descriptor, () => bytesOf(data), call);
    return descriptor;
  };
  const layer = await write(new TextEncoder().encode(text), mediaTypes.ociLayerGzip);
  const config = serializeImageConfig({
    ...amd64,
    rootfs: { type: "layers", diff_ids: [digestOf(text)] },
  });
  const manifest = serializeManifest({
    mediaType: mediaTypes.ociManifest,
    config: await write(config, mediaTypes.ociConfig),
    layers: [layer],
  });
  return write(manifest, mediaTypes.ociManifest);
}

test("an image that was built here is found where no registry has it, unless it must be pulled", async () => {
  const descriptor = await addLocal("local");
  const records = createImageRecords(join(root, "images"));
  records.set({ name: name("dev"), descriptor, createdAt: new Date(0) });
  const source = sourceWith();
  const image = await source.resolveImage(name("dev"), { platform: amd64 }, session(), call);
  expect(image.digest).toBe(descriptor.digest);
  await (await source.resolve(sourceId(name("dev")), session(), call)).fetch(call);
  const layer = fetched[0]!;
  expect(new TextDecoder().decode(await readAll(layer.fetch(call), 100, "layer"))).toBe("local");
  const origins = createBlobOrigins(join(root, "origins"));
  expect(origins.repositories(layer.descriptor.digest)).toEqual([]);
  const pulled = source.resolveImage(
    name("dev"),
    { platform: amd64, mode: "pull" },
    session(),
    call,
  );
  await expect(pulled).rejects.toMatchObject({ code: "IMAGE_NOT_FOUND" });
});

test("mode local does not ask the registry for what the store has", async () => {
  addApp("1");
  const descriptor = await addLocal("local");
  const records = createImageRecords(join(root, "images"));
  records.set({ name: name("1"), descriptor, createdAt: new Date(0) });
  const source = sourceWith();
  const local = await source.resolveImage(
    name("1"),
    { platform: amd64, mode: "local" },
    session(),
    call,
  );
  expect(local.digest).toBe(descriptor.digest);
  expect(registry.log()).toEqual([]);
  const asked = await source.resolveImage(name("1"), { platform: amd64 }, session(), call);
  expect(asked.digest).not.toBe(descriptor.digest);
});
