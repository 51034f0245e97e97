// What the client and any registry can do together: the same cases against the tests' own registry and a real one.
import { beforeEach, describe, expect, test } from "vitest";
import { type Digest, digestOf } from "../../src/base/index.ts";
import { type Descriptor, mediaTypes, serializeManifest } from "../../src/formats/oci/index.ts";
import type { RegistryOptions } from "../../src/storage/registry/index.ts";
import { call, gather, someBytes, source, testClient } from "../kit/registry-client.ts";

const layer = someBytes(3_000_000);
const blob: Descriptor = {
  mediaType: mediaTypes.ociLayerGzip,
  digest: digestOf(layer),
  size: layer.length,
};
let lastRepository = 0;

/** Declares the cases. `host` is asked for once the registry runs; `options` say how to get in. */
export function registryContract(host: () => string, options: Partial<RegistryOptions> = {}): void {
  const client = (limits = {}) => testClient({ ...options, limits });
  let name = "";
  beforeEach(() => {
    // Another repository for each case: registries remember.
    name = `${host()}/contract/${process.pid}-${Date.now()}-${++lastRepository}`;
  });

  describe("a blob", () => {
    test("is pushed once, found, and pulled as it was", async () => {
      const pushed = client().push(name);
      expect(await pushed.has(blob.digest, call)).toBe(false);
      expect(await pushed.push(blob, source(layer).open, {}, call)).toBe("uploaded");
      expect(await pushed.push(blob, source(layer).open, {}, call)).toBe("exists");
      const read = await gather(client().pull(name).read(blob, call));
      expect(digestOf(read)).toBe(blob.digest);
    });

    test("is mounted from another repository", async () => {
      await client().push(`${name}/from`).write(blob, source(layer).open, call);
      const data = source(layer);
      const mountFrom = [`${name}/from`];
      const outcome = await client().push(name).push(blob, data.open, { mountFrom }, call);
      expect([outcome, data.opened()]).toEqual(["mounted", 0]);
      expect(await client().pull(name).has(blob.digest, call)).toBe(true);
    });

    test("of no bytes is pushed and pulled", async () => {
      const nothing = { ...blob, digest: digestOf(""), size: 0 };
      await client().push(name).write(nothing, source(new Uint8Array()).open, call);
      expect(await gather(client().pull(name).read(nothing, call))).toHaveLength(0);
    });

    test("with other contents than its digest says is refused", async () => {
      const wrong = source(someBytes(layer.length, 9));
      await expect(client().push(name).write(blob, wrong.open, call)).rejects.toMatchObject({
        code: "REGISTRY_FAILED",
      });
    });
  });

  test("a manifest is pushed under a tag, looked up by tag and by digest, and read", async () => {
    const pushed = client().push(name);
    const { descriptor, data } = await pushImage(pushed);
    await pushed.writeManifest(descriptor, data, "v1", call);
    const pulled = client().pull(name);
    expect(await pulled.resolve("v1", call)).toEqual(descriptor);
    expect(await pulled.resolve(descriptor.digest, call)).toEqual(descriptor);
    expect(await pulled.resolve("none", call)).toBeUndefined();
    expect(digestOf(await pulled.readManifest(descriptor, call))).toBe(descriptor.digest);
  });

  test("one may push, and is told so without anything being left behind", async () => {
    await client().checkPush(name, call);
  });

  test("what is not there is not found", async () => {
    const pulled = client().pull(name);
    const missing = { ...blob, digest: digestOf("none") };
    expect(await pulled.has(missing.digest, call)).toBe(false);
    await expect(gather(pulled.read(missing, call))).rejects.toMatchObject({
      code: "IMAGE_NOT_FOUND",
    });
    await expect(pulled.readManifest(missing, call)).rejects.toMatchObject({
      code: "IMAGE_NOT_FOUND",
    });
  });

  test("a cancelled upload leaves no blob", async () => {
    const controller = new AbortController();
    const slow = async function* () {
      yield layer.subarray(0, 100_000);
      controller.abort(new Error("enough"));
      yield layer.subarray(100_000);
    };
    const push = client().push(name);
    await expect(push.write(blob, slow, { signal: controller.signal })).rejects.toThrow("enough");
    expect(await push.has(blob.digest, call)).toBe(false);
  });

  async function pushImage(
    pushed: ReturnType<ReturnType<typeof client>["push"]>,
  ): Promise<{ descriptor: Descriptor; data: Uint8Array }> {
    const config = new TextEncoder().encode("{}");
    const digest: Digest = digestOf(config);
    const configDescriptor = { mediaType: mediaTypes.ociConfig, digest, size: config.length };
    await pushed.write(configDescriptor, source(config).open, call);
    await pushed.write(blob, source(layer).open, call);
    const data = serializeManifest({
      mediaType: mediaTypes.ociManifest,
      config: configDescriptor,
      layers: [blob],
    });
    return {
      descriptor: { mediaType: mediaTypes.ociManifest, digest: digestOf(data), size: data.length },
      data,
    };
  }
}
