// Tags, referrers and deleting; trying credentials out; pieces as large as a registry wants them.
import { afterEach, describe, expect, test } from "vitest";
import { addImage, addIndex } from "../../../test/kit/images.ts";
import {
  startRegistry,
  type TestRegistry,
  type TestRegistryOptions,
} from "../../../test/kit/registry.ts";
import { call, someBytes, source, testClient } from "../../../test/kit/registry-client.ts";
import { digestOf } from "../../base/index.ts";
import { mediaTypes, serializeManifest } from "../../formats/oci/index.ts";
import type { RegistryClient } from "./registry.ts";

const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

async function world(
  rules: TestRegistryOptions = {},
  options: Parameters<typeof testClient>[0] = {},
): Promise<{ registry: TestRegistry; client: RegistryClient }> {
  const registry = await startRegistry(rules);
  const client = testClient(options);
  open.push(async () => {
    client[Symbol.dispose]();
    await registry[Symbol.asyncDispose]();
  });
  return { registry, client };
}

describe("tags", () => {
  test("come page by page, all of them in order", async () => {
    const { registry, client } = await world({ pageSize: 2 });
    for (const tag of ["a", "b", "c", "d", "e"]) addImage(registry, "app", { tag });
    const tags: string[] = [];
    for await (const tag of client.listing(`${registry.host}/app`).tags(call)) tags.push(tag);
    expect(tags).toEqual(["a", "b", "c", "d", "e"]);
    expect(registry.log().filter((line) => line.includes("tags/list"))).toHaveLength(3);
  });

  test.each([
    ['{"tags":[1]}', undefined],
    ["nonsense", undefined],
    ['{"tags":["a"]}', '<http://elsewhere.example/v2/>; rel="next"'],
  ])("an answer of %s with the link %s is refused", async (body, link) => {
    const { registry, client } = await world();
    registry.fail(
      { path: /tags/ },
      { kind: "status", status: 200, body, ...(link ? { headers: { link } } : {}) },
    );
    const all = async () => {
      for await (const _ of client.listing(`${registry.host}/app`).tags(call));
    };
    await expect(all()).rejects.toMatchObject({ code: "REGISTRY_FAILED" });
  });

  test("a listing that never ends is ended", async () => {
    const { registry, client } = await world();
    const again = {
      kind: "status",
      status: 200,
      body: '{"tags":[]}',
      headers: { link: '</v2/app/tags/list?n=1>; rel="next"' },
    } as const;
    registry.fail({ path: /tags/, times: 5000 }, again);
    const all = async () => {
      for await (const _ of client.listing(`${registry.host}/app`).tags(call));
    };
    await expect(all()).rejects.toMatchObject({
      code: "REGISTRY_FAILED",
      message: expect.stringContaining("too many"),
    });
  });
});

describe("referrers", () => {
  async function signed(rules: TestRegistryOptions) {
    const { registry, client } = await world(rules);
    const subject = addImage(registry, "app", { tag: "1" });
    const data = serializeManifest({
      mediaType: mediaTypes.ociManifest,
      artifactType: "application/vnd.example",
      config: registry.addBlob("app", "{}", mediaTypes.ociEmpty),
      layers: [],
      subject,
    });
    const referrer = registry.addManifest("app", undefined, data, mediaTypes.ociManifest);
    return { registry, subject, referrer, listing: client.listing(`${registry.host}/app`) };
  }

  test("are asked for where the registry knows them", async () => {
    const { subject, referrer, listing, registry } = await signed({ referrers: true });
    expect(await listing.referrers(subject.digest, call)).toMatchObject([
      { ...referrer, artifactType: "application/vnd.example" },
    ]);
    await listing.addReferrer(subject.digest, referrer, call);
    expect(registry.store.tags("app")).toEqual(["1"]);
  });

  test("are kept under a tag where it does not, each once", async () => {
    const { subject, referrer, listing, registry } = await signed({});
    expect(await listing.referrers(subject.digest, call)).toEqual([]);
    await listing.addReferrer(subject.digest, referrer, call);
    await listing.addReferrer(subject.digest, referrer, call);
    expect(await listing.referrers(subject.digest, call)).toEqual([referrer]);
    expect(registry.store.tags("app")).toEqual(["1", `sha256-${subject.digest.slice(7)}`]);
  });

  test("a refusal is no missing API", async () => {
    const { subject, listing, registry } = await signed({ referrers: true });
    registry.fail({ path: /referrers/ }, { kind: "status", status: 403 });
    await expect(listing.referrers(subject.digest, call)).rejects.toMatchObject({
      code: "REGISTRY_DENIED",
    });
  });
});

describe("deleting", () => {
  test("takes manifests and blobs away, with the right to do so", async () => {
    const auth = { kind: "token", username: "u", password: "p" } as const;
    const { registry, client } = await world(
      { auth },
      { credentials: async () => ({ username: "u", password: "p" }) },
    );
    const image = addImage(registry, "app", { tag: "1" });
    const listing = client.listing(`${registry.host}/app`);
    await listing.deleteManifest("1", call);
    await listing.deleteManifest(image.digest, call);
    await listing.deleteBlob(registry.addBlob("app", "x").digest, call);
    expect(registry.store.manifest("app", image.digest)).toBeUndefined();
    expect(registry.guard.issued.flat().some((scope) => /:.*delete/.test(scope))).toBe(true);
    await expect(listing.deleteManifest(image.digest, call)).rejects.toMatchObject({
      code: "IMAGE_NOT_FOUND",
    });
  });

  test("says where it is not allowed", async () => {
    const { registry, client } = await world({ noDelete: true });
    const { digest } = addIndex(registry, "app", "1", []);
    await expect(
      client.listing(`${registry.host}/app`).deleteManifest(digest, call),
    ).rejects.toMatchObject({ code: "UNSUPPORTED" });
  });
});

describe("trying credentials out", () => {
  test.each(["basic", "token"] as const)("tells good from bad by %s", async (kind) => {
    const auth = { kind, username: "u", password: "p", identityToken: "kept" } as const;
    const { registry, client } = await world({ auth });
    expect(await client.login(registry.host, { username: "u", password: "p" }, call)).toEqual(
      kind === "token" ? { identityToken: "kept" } : {},
    );
    await expect(
      client.login(registry.host, { username: "u", password: "x" }, call),
    ).rejects.toMatchObject({ code: "REGISTRY_DENIED" });
  });

  test("a server without a registry is named", async () => {
    const { registry, client } = await world();
    // The first request only finds out whether it is http or https.
    registry.fail({ path: /^$/, times: 2 }, { kind: "status", status: 404 });
    await expect(
      client.login(registry.host, { username: "u", password: "p" }, call),
    ).rejects.toMatchObject({ message: expect.stringContaining("there is no registry at") });
  });
});

test("pieces of an upload are as large as the registry wants them", async () => {
  const { registry, client } = await world(
    { minChunk: 100_000, refuseWhole: 413 },
    { limits: { chunkSize: 10_000 } },
  );
  const bytes = someBytes(250_000);
  const blob = {
    mediaType: "application/octet-stream",
    digest: digestOf(bytes),
    size: bytes.length,
  };
  await client.push(`${registry.host}/app`).push(blob, source(bytes).open, {}, call);
  expect(
    registry.requests.filter(({ method }) => method === "PATCH").map(({ received }) => received),
  ).toEqual([100_000, 100_000, 50_000]);
});
