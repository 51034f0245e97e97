// Tokens, passwords, and who gets to see them.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, test } from "vitest";
import { startRegistry } from "../../../test/kit/registry.ts";
import { call, gather, someBytes, source, testClient } from "../../../test/kit/registry-client.ts";
import { digestOf } from "../../base/index.ts";
import { mediaTypes } from "../../formats/oci/index.ts";
import { mergeScopes } from "./authenticator.ts";
import { parseChallenges } from "./challenge.ts";

const me = { username: "me", password: "pässwörd" };
// Node's fixture compares headers as text; what is sent must be UTF-8.
const ascii = { username: "me", password: "secret" };
const manifest = new TextEncoder().encode('{"schemaVersion":2}');
const layer = someBytes(200_000);
const blob = { mediaType: mediaTypes.ociLayer, digest: digestOf(layer), size: layer.length };

const token = { kind: "token", ...ascii } as const;
const withPassword = () => testClient({ credentials: async () => ascii });

describe("a token", () => {
  test("is fetched once for a repository, and again for another", async () => {
    await using registry = await startRegistry({ auth: token });
    registry.addManifest("a", "1", manifest, mediaTypes.ociIndex);
    registry.addManifest("b", "1", manifest, mediaTypes.ociIndex);
    const client = withPassword();
    for (const name of ["a", "a", "b"]) {
      expect(await client.pull(`${registry.host}/${name}`).resolve("1", call)).toBeDefined();
    }
    expect(registry.guard.issued).toEqual([["repository:a:pull"], ["repository:b:pull"]]);
  });

  test("for pushing asks for both actions, and for the origin of a mount as well", async () => {
    await using registry = await startRegistry({ auth: token });
    registry.addBlob("base", layer);
    const options = { mountFrom: [`${registry.host}/base`] };
    expect(
      await withPassword().push(`${registry.host}/a`).push(blob, source(layer).open, options, call),
    ).toBe("mounted");
    expect(registry.guard.issued).toEqual([
      ["repository:a:pull,push"],
      ["repository:a:pull,push", "repository:base:pull"],
    ]);
  });

  test("is not asked for with the credentials of nobody where pulling is free", async () => {
    await using registry = await startRegistry({ auth: { ...token, anonymousPull: true } });
    registry.addManifest("a", "1", manifest, mediaTypes.ociIndex);
    expect(await testClient().pull(`${registry.host}/a`).resolve("1", call)).toBeDefined();
    const denied = testClient().checkPush(`${registry.host}/a`, call);
    await expect(denied).rejects.toMatchObject({ code: "REGISTRY_DENIED" });
  });

  test("comes from whoever lends it, and credentials stay where they are", async () => {
    await using registry = await startRegistry({ auth: token });
    registry.addManifest("a", "1", manifest, mediaTypes.ociIndex);
    const asked: unknown[] = [];
    const fetching = withPassword();
    const client = testClient({
      credentials: async () => {
        throw new Error("credentials were asked for");
      },
      async token(wanted) {
        asked.push(wanted);
        const given = await fetching.token(wanted, ascii, call);
        return { token: given.token, expiresIn: 300 };
      },
    });
    const repository = client.pull(`${registry.host}/a`);
    for (let times = 0; times < 2; times++)
      expect(await repository.resolve("1", call)).toBeDefined();
    const realm = `${registry.url}/token`;
    const scopes = ["repository:a:pull"];
    expect(asked).toEqual([{ host: registry.host, realm, service: "test", scopes }]);
    registry.guard.revoke();
    expect(await repository.resolve("1", call)).toBeDefined();
    expect(asked).toHaveLength(2);
  });

  test.each(["", "two words", "line\nbreak", "x".repeat(50_000)])(
    "that is lent and is none fails: %j",
    async (lent) => {
      await using registry = await startRegistry({ auth: token });
      const client = testClient({ token: async () => ({ token: lent, expiresIn: 60 }) });
      const denied = client.pull(`${registry.host}/a`).resolve("1", call);
      await expect(denied).rejects.toMatchObject({ code: "REGISTRY_FAILED" });
    },
  );

  test("is fetched here where nobody lends one", async () => {
    await using registry = await startRegistry({ auth: token });
    registry.addManifest("a", "1", manifest, mediaTypes.ociIndex);
    const client = testClient({ credentials: async () => ascii, token: async () => undefined });
    expect(await client.pull(`${registry.host}/a`).resolve("1", call)).toBeDefined();
  });

  test("that was revoked is fetched anew, also in the middle of an upload", async () => {
    await using registry = await startRegistry({ auth: token });
    const repository = withPassword().push(`${registry.host}/a`);
    expect(await repository.has(blob.digest, call)).toBe(false);
    registry.fail({ method: "PUT" }, { kind: "refuse", after: 100_000, status: 401 });
    registry.guard.revoke();
    await repository.write(blob, source(layer).open, call);
    expect(registry.store.blob("a", blob.digest)?.length).toBe(layer.length);
    expect(registry.guard.issued.length).toBeGreaterThan(1);
  });

  test("that has expired by the clock is fetched before it is refused", async () => {
    await using registry = await startRegistry({ auth: token });
    registry.addManifest("a", "1", manifest, mediaTypes.ociIndex);
    const repository = withPassword().pull(`${registry.host}/a`);
    await repository.resolve("1", call);
    registry.forgetRequests();
    await repository.resolve("1", call);
    expect(registry.log()).toEqual(["HEAD a/manifests/1"]);
  });

  test("is fetched once by many that need it at the same time", async () => {
    await using registry = await startRegistry({ auth: token });
    registry.addManifest("a", "1", manifest, mediaTypes.ociIndex);
    const repository = withPassword().pull(`${registry.host}/a`);
    await Promise.all(Array.from({ length: 8 }, () => repository.resolve("1", call)));
    expect(registry.guard.issued.length).toBeLessThanOrEqual(2);
  });

  test("comes from a refresh token by POST", async () => {
    await using registry = await startRegistry({ auth: { ...token, identityToken: "refresh-me" } });
    registry.addManifest("a", "1", manifest, mediaTypes.ociIndex);
    const client = testClient({ credentials: async () => ({ identityToken: "refresh-me" }) });
    expect(await client.pull(`${registry.host}/a`).resolve("1", call)).toBeDefined();
    expect(registry.requests.find(({ path }) => path === "/token")?.method).toBe("POST");
  });

  test("is refused for wrong passwords, with what to do", async () => {
    await using registry = await startRegistry({ auth: token });
    const client = testClient({ credentials: async () => ({ ...ascii, password: "wrong" }) });
    await expect(client.checkPush(`${registry.host}/a`, call)).rejects.toMatchObject({
      code: "REGISTRY_DENIED",
      hint: expect.stringContaining(`kiln login ${registry.host}`),
    });
  });

  test("of the user's own is sent as it is", async () => {
    await using registry = await startRegistry({ auth: token });
    registry.fail(
      { path: /manifests/ },
      { kind: "status", status: 401, headers: { "www-authenticate": 'Bearer realm="/token"' } },
    );
    registry.addManifest("a", "1", manifest, mediaTypes.ociIndex);
    const client = testClient({ credentials: async () => ({ registryToken: "mine" }) });
    await expect(client.pull(`${registry.host}/a`).resolve("1", call)).rejects.toMatchObject({
      code: "REGISTRY_DENIED",
    });
    expect(registry.requests.some(({ headers }) => headers.authorization === "Bearer mine")).toBe(
      true,
    );
  });

  test("is asked for again while the token server is busy", async () => {
    await using registry = await startRegistry({ auth: token });
    registry.addManifest("a", "1", manifest, mediaTypes.ociIndex);
    registry.fail({ path: /token/, times: 2 }, { kind: "status", status: 503 });
    expect(await withPassword().pull(`${registry.host}/a`).resolve("1", call)).toBeDefined();
  });
});

describe("name and password", () => {
  test("are sent where they are asked for, and not before", async () => {
    await using registry = await startRegistry({ auth: { kind: "basic", ...ascii } });
    registry.addManifest("a", "1", manifest, mediaTypes.ociIndex);
    const repository = withPassword().pull(`${registry.host}/a`);
    expect(await repository.resolve("1", call)).toBeDefined();
    const sent = registry.requests.map(({ headers }) => headers.authorization);
    expect(sent[0]).toBeUndefined();
    registry.forgetRequests();
    await repository.resolve("1", call);
    expect(registry.log()).toEqual(["HEAD a/manifests/1"]);
  });

  test("are sent in UTF-8", async () => {
    await using registry = await startRegistry({ auth: { kind: "basic", ...ascii } });
    const client = testClient({ credentials: async () => me });
    await expect(client.pull(`${registry.host}/a`).resolve("1", call)).rejects.toMatchObject({
      code: "REGISTRY_DENIED",
    });
    const header = registry.requests.at(-1)?.headers.authorization ?? "";
    const bytes = Uint8Array.from(atob(header.replace("Basic ", "")), (char) => char.charCodeAt(0));
    expect(new TextDecoder().decode(bytes)).toBe("me:pässwörd");
  });

  test("are asked of the user once, for the host", async () => {
    await using registry = await startRegistry({ auth: { kind: "basic", ...ascii } });
    const asked: string[] = [];
    const client = testClient({
      async credentials(host) {
        asked.push(host);
        return ascii;
      },
    });
    for (const name of ["a", "b"]) await client.pull(`${registry.host}/${name}`).resolve("1", call);
    expect(asked).toEqual([registry.host]);
  });

  test("are not sent to a token server elsewhere that is not safe to ask", async () => {
    await using registry = await startRegistry({
      auth: { ...token, realm: "http://tokens.example/token" },
    });
    await expect(
      withPassword().pull(`${registry.host}/a`).resolve("1", call),
    ).rejects.toMatchObject({
      code: "REGISTRY_FAILED",
      message: expect.stringContaining("tokens.example"),
    });
  });

  test("do not follow a token server's redirect", async () => {
    const seen: (string | undefined)[] = [];
    const thief = createServer((request, response) => {
      seen.push(request.headers.authorization);
      response.end("{}");
    });
    await new Promise<void>((resolve) => thief.listen(0, "127.0.0.1", resolve));
    const to = `http://127.0.0.1:${(thief.address() as AddressInfo).port}/`;
    await using registry = await startRegistry({ auth: token });
    registry.fail(
      { path: /token/, times: 9 },
      { kind: "status", status: 302, headers: { location: to } },
    );
    await expect(
      withPassword().pull(`${registry.host}/a`).resolve("1", call),
    ).rejects.toMatchObject({ code: "REGISTRY_FAILED" });
    thief.close();
    expect(seen).toEqual([]);
  });

  test("do not follow an upload to another host", async () => {
    await using other = await startRegistry();
    await using registry = await startRegistry({ auth: { kind: "basic", ...ascii } });
    const location = `${other.url}/v2/a/blobs/uploads/x`;
    const push = withPassword().push(`${registry.host}/a`);
    await push.has(blob.digest, call);
    registry.fail({ method: "POST" }, { kind: "status", status: 202, headers: { location } });
    // The other host knows nothing of the upload, so that it is begun anew.
    await push.write(blob, source(layer).open, call);
    expect(other.requests.length).toBeGreaterThan(0);
    expect(other.requests.every(({ headers }) => headers.authorization === undefined)).toBe(true);
  });
});

describe("challenges", () => {
  test.each([
    [
      'Bearer realm="https://a/t",service="s",scope="repository:x:pull,push"',
      [
        {
          scheme: "bearer",
          parameters: { realm: "https://a/t", service: "s", scope: "repository:x:pull,push" },
        },
      ],
    ],
    [
      'Basic realm="r", Bearer realm=https://a/t',
      [
        { scheme: "basic", parameters: { realm: "r" } },
        { scheme: "bearer", parameters: { realm: "https://a/t" } },
      ],
    ],
    ['Bearer realm = "a\\"b"', [{ scheme: "bearer", parameters: { realm: 'a"b' } }]],
    [
      "Negotiate, Basic",
      [
        { scheme: "negotiate", parameters: {} },
        { scheme: "basic", parameters: {} },
      ],
    ],
    ["", []],
    ['="', []],
  ])("%j is read", (header, expected) => {
    expect(parseChallenges(header)).toEqual(expected);
  });
});

test("scopes of one resource become one", () => {
  expect(
    mergeScopes(["repository:b:pull", "repository:a:push", "", "repository:b:push,pull"]),
  ).toEqual(["repository:a:push", "repository:b:pull,push"]);
});

test("reading a blob with a token does not fetch one for each part", async () => {
  await using registry = await startRegistry({ auth: token });
  registry.addBlob("a", layer);
  registry.fail({ path: /blobs/, after: 1 }, { kind: "cut", after: 1000 });
  const data = await gather(withPassword().pull(`${registry.host}/a`).read(blob, call));
  expect(digestOf(data)).toBe(blob.digest);
  expect(registry.guard.issued).toHaveLength(1);
});
