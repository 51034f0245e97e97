// Which servers are asked: mirrors, schemes, and what is tried again.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { startRegistry } from "../../../test/kit/registry.ts";
import { testCertificate } from "../../../test/kit/registry-certificate.ts";
import { call, gather, someBytes, testClient } from "../../../test/kit/registry-client.ts";
import { digestOf, type KilnError } from "../../base/index.ts";
import { mediaTypes } from "../../formats/oci/index.ts";
import { isLoopback, retryAfterMilliseconds } from "../http/index.ts";

const manifest = new TextEncoder().encode('{"schemaVersion":2}');
const layer = someBytes(200_000);

describe("a mirror", () => {
  test("is asked first, with the name of what it mirrors", async () => {
    await using mirror = await startRegistry();
    const stored = mirror.addManifest("library/busybox", "1", manifest, mediaTypes.ociIndex);
    const client = testClient({ hosts: { "docker.io": { mirrors: [mirror.host] } } });
    expect(await client.pull("docker.io/library/busybox").resolve("1", call)).toEqual(stored);
    expect(mirror.requests.at(-1)?.query.get("ns")).toBe("docker.io");
  });

  test("may have a path", async () => {
    await using mirror = await startRegistry({ prefix: "hub/cache/" });
    const stored = mirror.addManifest("library/busybox", "1", manifest, mediaTypes.ociIndex);
    const client = testClient({
      hosts: { "docker.io": { mirrors: [`${mirror.host}/hub/cache/`] } },
    });
    expect(await client.pull("docker.io/library/busybox").resolve("1", call)).toEqual(stored);
  });

  test.each([
    ["has not got it", () => {}],
    [
      "fails",
      (mirror: Awaited<ReturnType<typeof startRegistry>>) =>
        mirror.fail({ path: /./, times: 99 }, { kind: "status", status: 500 }),
    ],
    [
      "denies it",
      (mirror: Awaited<ReturnType<typeof startRegistry>>) =>
        mirror.fail({ path: /./, times: 99 }, { kind: "status", status: 403 }),
    ],
  ])("that %s is passed over", async (_, prepare) => {
    await using mirror = await startRegistry();
    await using origin = await startRegistry();
    const stored = origin.addManifest("a", "1", manifest, mediaTypes.ociIndex);
    const blob = origin.addBlob("a", layer);
    prepare(mirror);
    const repository = testClient({ hosts: { [origin.host]: { mirrors: [mirror.host] } } }).pull(
      `${origin.host}/a`,
    );
    expect(await repository.resolve("1", call)).toEqual(stored);
    expect(digestOf(await gather(repository.read(blob, call)))).toBe(blob.digest);
  });

  test("that is gone half-way through a blob is replaced by the registry", async () => {
    await using mirror = await startRegistry();
    await using origin = await startRegistry();
    const blob = origin.addBlob("a", layer);
    mirror.addBlob("a", layer);
    mirror.fail({ path: /blobs/ }, { kind: "cut", after: 70_000 });
    mirror.fail({ path: /blobs/, times: 99 }, { kind: "status", status: 404 });
    const repository = testClient({ hosts: { [origin.host]: { mirrors: [mirror.host] } } }).pull(
      `${origin.host}/a`,
    );
    expect(digestOf(await gather(repository.read(blob, call)))).toBe(blob.digest);
    expect(origin.requests.at(-1)?.headers.range).toBe("bytes=70000-199999");
  });

  test("and a registry that both fail are both named", async () => {
    await using mirror = await startRegistry();
    const hosts = { "127.0.0.1:1": { mirrors: [mirror.host] } };
    mirror.fail({ times: 99 }, { kind: "status", status: 500 });
    const error = await testClient({ hosts })
      .pull("127.0.0.1:1/a")
      .resolve("1", call)
      .catch((one: unknown) => one);
    expect(error).toMatchObject({ code: "REGISTRY_UNREACHABLE" });
    expect((error as KilnError).others[0]?.message).toContain(mirror.host);
  });

  test("that is no host is a mistake in the configuration", () => {
    const client = testClient({ hosts: { "docker.io": { mirrors: ["not a host"] } } });
    expect(() => client.pull("docker.io/library/a")).toThrow(
      expect.objectContaining({ code: "CONFIG_INVALID" }),
    );
  });
});

describe("the scheme", () => {
  const tls = testCertificate;

  test("of a loopback host is found out, once", async () => {
    await using registry = await startRegistry({ tls });
    const client = testClient({ hosts: { [registry.host]: { ca: [tls.cert] } } });
    registry.addManifest("a", "1", manifest, mediaTypes.ociIndex);
    for (const name of ["a", "a"])
      expect(await client.pull(`${registry.host}/${name}`).resolve("1", call)).toBeDefined();
    expect(registry.log()).toEqual(["GET ", "HEAD a/manifests/1", "HEAD a/manifests/1"]);
  });

  test("is what the configuration says", async () => {
    await using registry = await startRegistry({ tls });
    const client = testClient({ hosts: { [registry.host]: { http: false, insecure: true } } });
    await client.pull(`${registry.host}/a`).resolve("1", call);
    expect(registry.log()[0]).toBe("HEAD a/manifests/1");
  });

  test.each(["SSL_CERT_FILE", "KILN_EXTRA_CA_CERTS", "NODE_EXTRA_CA_CERTS"])(
    "trusts the authorities of %s",
    async (variable) => {
      await using registry = await startRegistry({ tls });
      const directory = mkdtempSync(join(tmpdir(), "kiln-tls-"));
      writeFileSync(join(directory, "ca.pem"), tls.cert);
      const environment = { [variable]: join(directory, "ca.pem") };
      const hosts = { [registry.host]: { http: false } };
      const repository = testClient({ environment, hosts }).pull(`${registry.host}/a`);
      expect(await repository.resolve("1", call)).toBeUndefined();
      rmSync(directory, { recursive: true });
    },
  );

  test("with a file of authorities that cannot be read is a mistake in the configuration", async () => {
    await using registry = await startRegistry({ tls });
    const hosts = { [registry.host]: { http: false } };
    for (const environment of [
      { SSL_CERT_FILE: "/none.pem" },
      { KILN_EXTRA_CA_CERTS: "/none.pem" },
    ]) {
      const repository = testClient({ environment, hosts }).pull(`${registry.host}/a`);
      await expect(repository.resolve("1", call)).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    }
    const broken = {
      [registry.host]: {
        http: false,
        ca: ["-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"],
      },
    };
    await expect(
      testClient({ hosts: broken }).pull(`${registry.host}/a`).resolve("1", call),
    ).rejects.toMatchObject({
      code: "CONFIG_INVALID",
    });
  });

  test("with an unknown authority says how to make it known", async () => {
    await using registry = await startRegistry({ tls });
    const client = testClient({ hosts: { [registry.host]: { http: false } } });
    await expect(client.pull(`${registry.host}/a`).resolve("1", call)).rejects.toMatchObject({
      code: "REGISTRY_UNREACHABLE",
      hint: expect.stringContaining("ca = "),
    });
  });

  test.each([{}, { tls }])(
    "of a client that may be insecure is either, unasked for %j",
    async (options) => {
      await using registry = await startRegistry(options);
      registry.addManifest("a", "1", manifest, mediaTypes.ociIndex);
      const repository = testClient({ insecure: true }).pull(`${registry.host}/a`);
      expect(await repository.resolve("1", call)).toBeDefined();
    },
  );

  test("that is https where the registry speaks plain http says so", async () => {
    await using registry = await startRegistry();
    const client = testClient({ hosts: { [registry.host]: { http: false } } });
    await expect(client.pull(`${registry.host}/a`).resolve("1", call)).rejects.toMatchObject({
      hint: expect.stringContaining("http = true"),
    });
  });
});

describe("a registry that is not there", () => {
  test("is reported soon, with its name", async () => {
    const started = performance.now();
    const error = await testClient()
      .pull("127.0.0.1:1/a")
      .resolve("1", call)
      .catch((one: unknown) => one);
    expect(error).toMatchObject({
      code: "REGISTRY_UNREACHABLE",
      message: expect.stringContaining("127.0.0.1:1"),
    });
    expect(performance.now() - started).toBeLessThan(2000);
  });

  test("by name is not waited for", async () => {
    await expect(testClient().pull("registry.invalid/a").resolve("1", call)).rejects.toMatchObject({
      code: "REGISTRY_UNREACHABLE",
      hint: expect.stringContaining("Check the name"),
    });
  });
});

describe("trying again", () => {
  test.each([408, 429, 500, 502, 503, 504])("follows status %i", async (status) => {
    await using registry = await startRegistry();
    registry.addManifest("a", "1", manifest, mediaTypes.ociIndex);
    registry.fail({ path: /manifests/, times: 2 }, { kind: "status", status });
    expect(await testClient().pull(`${registry.host}/a`).resolve("1", call)).toBeDefined();
  });

  test("follows a cut connection", async () => {
    await using registry = await startRegistry();
    registry.addManifest("a", "1", manifest, mediaTypes.ociIndex);
    registry.fail({ path: /manifests/, times: 2 }, { kind: "cut" });
    expect(await testClient().pull(`${registry.host}/a`).resolve("1", call)).toBeDefined();
  });

  test("waits as long as the server asks for", async () => {
    await using registry = await startRegistry();
    registry.addManifest("a", "1", manifest, mediaTypes.ociIndex);
    registry.fail(
      { path: /manifests/ },
      { kind: "status", status: 429, headers: { "retry-after": "1" } },
    );
    const started = performance.now();
    expect(await testClient().pull(`${registry.host}/a`).resolve("1", call)).toBeDefined();
    expect(performance.now() - started).toBeGreaterThan(950);
  });

  test("ends at once when the server asks for more time than there is, saying what to do", async () => {
    await using registry = await startRegistry();
    const body = JSON.stringify({
      errors: [{ code: "TOOMANYREQUESTS", message: "pull rate limit" }],
    });
    registry.fail(
      { path: /manifests/, times: 99 },
      { kind: "status", status: 429, headers: { "retry-after": "3600" }, body },
    );
    const started = performance.now();
    await expect(testClient().pull(`${registry.host}/a`).resolve("1", call)).rejects.toMatchObject({
      code: "REGISTRY_FAILED",
      message: expect.stringContaining("pull rate limit"),
      hint: expect.stringContaining("try again later"),
    });
    expect(performance.now() - started).toBeLessThan(900);
  });

  test.each([400, 404, 501])("does not follow status %i", async (status) => {
    await using registry = await startRegistry();
    registry.fail({ method: "POST", times: 9 }, { kind: "status", status });
    await expect(testClient().checkPush(`${registry.host}/a`, call)).rejects.toThrow();
    expect(registry.requests.filter(({ method }) => method === "POST")).toHaveLength(1);
  });

  test("reads Retry-After as seconds and as a date", () => {
    expect(retryAfterMilliseconds("7")).toBe(7000);
    expect(
      retryAfterMilliseconds("Sun, 06 Nov 1994 08:49:37 GMT", Date.UTC(1994, 10, 6, 8, 49, 7)),
    ).toBe(30_000);
    expect(retryAfterMilliseconds("Sun, 06 Nov 1994 08:49:37 GMT")).toBe(0);
    for (const nonsense of [undefined, "", "-1", "soon"])
      expect(retryAfterMilliseconds(nonsense)).toBe(0);
  });
});

test.each([
  ["localhost:5000", true],
  ["127.0.0.1", true],
  ["[::1]:5000", true],
  ["reg.localhost", true],
  ["docker.io", false],
  ["127.0.0.1.evil.example", false],
  ["localhost.evil.example", false],
  ["10.0.0.1:5000", false],
])("%s is loopback: %s", (host, expected) => {
  expect(isLoopback(host)).toBe(expected);
});
