// Looking up images: what is asked for, what is kept, which platform is chosen, what is refused.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startRegistry, type TestRegistry } from "../../../test/kit/registry.ts";
import { call, testClient } from "../../../test/kit/registry-client.ts";
import { digestOf } from "../../base/index.ts";
import {
  type Descriptor,
  formatPlatform,
  hostPlatform,
  mediaTypes,
  parsePlatform,
  serializeImageConfig,
  serializeIndex,
  serializeManifest,
} from "../../formats/oci/index.ts";
import { type ContentStore, openContentStore } from "../content/index.ts";
import { resolveImage } from "./index.ts";

let directory: string;
let content: ContentStore;
let registry: TestRegistry;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "kiln-image-"));
  content = await openContentStore(directory);
  registry = await startRegistry();
});
afterEach(async () => {
  await registry[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

const platform = (text: string) => parsePlatform(text, hostPlatform("x64"));

/** Puts an image with one layer into the registry and says what an index says of it. */
function addImage(
  name: string,
  tag?: string,
  options: { diffIds?: number; artifactType?: string } = {},
): Descriptor {
  const { os, architecture, variant } = platform(name);
  const layer = registry.addBlob("app", `layer of ${name}`, mediaTypes.ociLayerGzip);
  const diffIds = Array.from({ length: options.diffIds ?? 1 }, (_, i) => digestOf(`${name} ${i}`));
  const config = registry.addBlob(
    "app",
    serializeImageConfig({
      os,
      architecture,
      ...(variant ? { variant } : {}),
      rootfs: { type: "layers", diff_ids: diffIds },
    }),
    mediaTypes.ociConfig,
  );
  const { artifactType } = options;
  const manifest = serializeManifest({
    mediaType: mediaTypes.ociManifest,
    config,
    layers: [layer],
    ...(artifactType ? { artifactType } : {}),
  });
  return {
    ...registry.addManifest("app", tag, manifest, mediaTypes.ociManifest),
    platform: platform(name),
  };
}

function addIndex(tag: string | undefined, manifests: readonly Descriptor[]): Descriptor {
  return registry.addManifest(
    "app",
    tag,
    serializeIndex({ mediaType: mediaTypes.ociIndex, manifests }),
    mediaTypes.ociIndex,
  );
}

const look = (reference: string, wanted = "linux/amd64") =>
  resolveImage(
    {
      repository: testClient().pull(`${registry.host}/app`),
      reference: `${registry.host}/app${reference}`,
      platform: platform(wanted),
      content,
    },
    call,
  );

describe("an image", () => {
  test("of an index is the one of the platform, with its documents and layers", async () => {
    const images = ["linux/amd64", "linux/arm64", "linux/arm/v7"].map((name) => addImage(name));
    const root = addIndex("1", images);
    const found = await look(":1", "linux/arm/v7");
    expect(found.root).toEqual(root);
    expect(found.index?.manifests).toHaveLength(3);
    expect(found.manifestDescriptor.digest).toBe(images[2]?.digest);
    expect(found.config).toMatchObject({ architecture: "arm", variant: "v7" });
    expect(digestOf(found.rawConfig)).toBe(found.manifest.config.digest);
    expect(found.layers).toEqual([
      { descriptor: found.manifest.layers[0], diffId: digestOf("linux/arm/v7 0") },
    ]);
    expect(formatPlatform(found.platform)).toBe("linux/arm/v7");
  });

  test("costs four requests at first, and one as long as the tag has not moved", async () => {
    addIndex("1", [addImage("linux/amd64")]);
    await look(":1");
    expect(registry.requests).toHaveLength(5);
    registry.forgetRequests();
    await look(":1");
    expect(registry.log()).toEqual(["GET ", "HEAD app/manifests/1"]);
  });

  test("without an index is taken as it is", async () => {
    addImage("linux/s390x", "1");
    const found = await look(":1");
    expect(formatPlatform(found.platform)).toBe("linux/s390x");
    expect(found.index).toBeUndefined();
  });

  test("is found by its digest, whatever tag stands beside it", async () => {
    const { digest } = addImage("linux/amd64", "1");
    expect((await look(`:none@${digest}`)).root.digest).toBe(digest);
  });

  test("without a tag is the latest", async () => {
    addImage("linux/amd64", "latest");
    expect((await look("")).layers).toHaveLength(1);
  });

  test("is the nearest that runs on the platform", async () => {
    addIndex(
      "1",
      ["linux/arm/v5", "linux/arm/v6", "linux/amd64"].map((name) => addImage(name)),
    );
    expect(formatPlatform((await look(":1", "linux/arm/v7")).platform)).toBe("linux/arm/v6");
  });

  test("is found in an index within the index", async () => {
    const inner = addIndex(undefined, [addImage("linux/arm64")]);
    addIndex("1", [addImage("linux/amd64"), inner]);
    expect(formatPlatform((await look(":1", "linux/arm64")).platform)).toBe("linux/arm64");
  });

  test("is found where the index does not name platforms", async () => {
    const unnamed = ["linux/arm64", "linux/amd64"].map((name) => {
      const { platform: _, ...descriptor } = addImage(name);
      return descriptor;
    });
    addIndex("1", unnamed);
    expect(formatPlatform((await look(":1")).platform)).toBe("linux/amd64");
  });

  test("that is damaged in the local store is fetched again", async () => {
    const { digest } = addImage("linux/amd64", "1");
    await look(":1");
    const hex = digest.slice("sha256:".length);
    const { chmodSync, writeFileSync, readdirSync } = await import("node:fs");
    const file =
      readdirSync(directory, { recursive: true })
        .map(String)
        .find((path) => path.endsWith(hex)) ?? "";
    chmodSync(join(directory, file), 0o600);
    writeFileSync(join(directory, file), "damaged");
    expect((await look(":1")).manifestDescriptor.digest).toBe(digest);
  });
});

describe("what is refused", () => {
  test("a platform that is not offered, with those that are", async () => {
    const attestation = {
      ...addImage("linux/amd64"),
      platform: { os: "unknown", architecture: "unknown" },
    };
    addIndex("1", [addImage("linux/amd64"), addImage("windows/arm64"), attestation]);
    await expect(look(":1", "linux/arm64")).rejects.toMatchObject({
      code: "PLATFORM_NOT_OFFERED",
      message: expect.stringContaining("linux/arm64, only for linux/amd64, windows/arm64"),
      hint: "The nearest that it offers is windows/arm64.",
      details: { wanted: "linux/arm64", offered: "linux/amd64, windows/arm64" },
    });
  });

  test("a name that the registry does not have", async () => {
    await expect(look(":none")).rejects.toMatchObject({
      code: "IMAGE_NOT_FOUND",
      message: expect.stringContaining(`${registry.host}/app:none`),
    });
  });

  test("a manifest whose layers are not those of its configuration", async () => {
    addImage("linux/amd64", "1", { diffIds: 2 });
    await expect(look(":1")).rejects.toMatchObject({
      code: "IMAGE_INVALID",
      message: expect.stringContaining("1 layers, its configuration 2"),
    });
  });

  test("an artifact that is no image", async () => {
    addImage("linux/amd64", "1", { artifactType: "application/vnd.cncf.helm.config" });
    await expect(look(":1")).rejects.toMatchObject({
      code: "IMAGE_INVALID",
      message: expect.stringContaining("helm"),
    });
  });

  test("indexes within indexes without end", async () => {
    let index = addIndex(undefined, [addImage("linux/amd64")]);
    for (let i = 0; i < 5; i++) index = addIndex(undefined, [index]);
    addIndex("1", [index]);
    await expect(look(":1")).rejects.toMatchObject({ code: "PLATFORM_NOT_OFFERED" });
  });
});
