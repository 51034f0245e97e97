// The http source against a real server on loopback: names, modes, times, what is asked again, and hostile answers.
import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import type { Session, StepCall } from "../../src/api/index.ts";
import { bytesOf, digestOf, uncancelled } from "../../src/base/index.ts";
import { createHttpSources } from "../../src/engine/source/index.ts";
import { type ContentStore, openContentStore } from "../../src/storage/content/index.ts";
import { type Metadata, openMetadata } from "../../src/storage/metadata/index.ts";
import {
  openOverlaySnapshotter,
  type Snapshotter,
  withMounted,
} from "../../src/storage/snapshot/index.ts";
import { describeWith } from "../kit/needs.ts";
import { testCertificate } from "../kit/registry-certificate.ts";

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

const userAgent = `kiln/test-${process.pid}`;

describeWith(["root"], "the http source", () => {
  let directory: string;
  let content: ContentStore;
  let metadata: Metadata;
  let snapshotter: Snapshotter;
  let server: Server;
  let other: Server;
  let at: string;
  let elsewhere: string;
  let answer: Handler;
  let asked: IncomingMessage[];

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), "kiln-http-"));
    content = await openContentStore(join(directory, "content"));
    metadata = await openMetadata(join(directory, "metadata"));
    snapshotter = await openOverlaySnapshotter({ dir: join(directory, "snapshots") });
    // Ports are used again: whoever looks for the server that had this one before is not counted.
    const serve: Handler = (request, response) => {
      if (request.headers["user-agent"] !== userAgent) response.destroy();
      else {
        asked.push(request);
        answer(request, response);
      }
    };
    server = createServer(serve);
    other = createServer(serve);
    at = await listen(server);
    elsewhere = await listen(other);
  });
  afterAll(async () => {
    server.close();
    other.close();
    await snapshotter[Symbol.asyncDispose]();
    await metadata[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true, force: true });
  });
  beforeEach(() => {
    asked = [];
    answer = (_request, response) => response.end("hello");
  });

  /** One build's look at a URL. */
  const get = async (
    url: string,
    attrs: Readonly<Record<string, string>> = {},
    session: Session = sessionOf({}),
    hosts: Readonly<
      Record<string, { readonly ca?: readonly string[]; readonly insecure?: boolean }>
    > = {},
  ) => {
    const sources = createHttpSources({
      hosts,
      content,
      metadata,
      snapshotter,
      userAgent,
      environment: {},
    });
    const [scheme = "", rest = ""] = url.split("://");
    const source = sources.find((one) => one.scheme === scheme);
    if (!source) throw new Error("no source");
    const platform = { os: "linux", architecture: "amd64" };
    const resolved = await source.resolve({ scheme, rest, attrs, platform }, session, step);
    return {
      cacheKey: resolved.cacheKey,
      pin: resolved.pin,
      modified: () => resolved.modified?.(step),
      async file() {
        await using snapshot = await resolved.fetch(step);
        if (!snapshot) throw new Error("no snapshot");
        return await withMounted(await snapshot.mounts(uncancelled), uncancelled, (root) => {
          const [name = "", ...more] = readdirSync(root);
          expect(more).toEqual([]);
          const { mode, mtimeMs, uid, gid } = lstatSync(join(root, name));
          const text = readFileSync(join(root, name), "utf8");
          return { name, text, mode: mode & 0o7777, mtimeMs, uid, gid };
        });
      },
    };
  };
  let serial = 0;
  const fresh = (name = "file.txt") => `${at}/${++serial}/${name}`;

  it("trusts the authority that the configuration names for a host, and skips no check", async () => {
    const secure = createSecureServer(testCertificate, (_request, response) =>
      response.end("safe"),
    );
    const where = (await listen(secure)).replace("http:", "https:");
    const { host } = new URL(where);
    const ca = [testCertificate.cert];
    try {
      const found = await get(`${where}/f`, {}, sessionOf({}), { [host]: { ca } });
      expect((await found.file()).text).toBe("safe");
      for (const hosts of [{}, { "example.com:443": { ca } }, { [host]: { insecure: true } }])
        await expect(get(`${where}/f`, {}, sessionOf({}), hosts)).rejects.toThrow(/certificate/);
    } finally {
      secure.close();
    }
  });

  it("does not follow from https to http", async () => {
    const secure = createSecureServer(testCertificate, (_request, response) =>
      response.writeHead(302, { location: `${at}/open` }).end(),
    );
    const where = (await listen(secure)).replace("http:", "https:");
    const hosts = { [new URL(where).host]: { ca: [testCertificate.cert] } };
    try {
      await expect(get(`${where}/f`, {}, sessionOf({}), hosts)).rejects.toThrow();
      expect(asked).toEqual([]);
    } finally {
      secure.close();
    }
  });

  it("gives one file, readable by its owner only, with the server's time and the URL's last name", async () => {
    answer = (_request, response) => {
      response.setHeader("last-modified", "Tue, 14 Nov 2023 22:13:20 GMT");
      response.end("hello");
    };
    const found = await get(fresh("a%20b.txt?x=/y"));
    expect(await found.file()).toEqual({
      name: "a b.txt",
      text: "hello",
      mode: 0o600,
      mtimeMs: 1_700_000_000_000,
      uid: 0,
      gid: 0,
    });
    expect(await found.modified()).toEqual(new Date(1_700_000_000_000));
  });

  it("takes name, mode and owner from the attributes", async () => {
    const attrs = { "http.filename": "to", "http.perm": "0755", "http.uid": "7", "http.gid": "8" };
    const { file } = await get(fresh(), attrs);
    expect(await file()).toMatchObject({ name: "to", mode: 0o755, uid: 7, gid: 8, mtimeMs: 0 });
  });

  it.each([
    ['attachment; filename="tool.tar.gz"', "tool.tar.gz"],
    ['attachment; filename="../../etc/passwd"', "passwd"],
    ["attachment; filename=..", "download"],
    ["attachment; filename*=UTF-8''na%C3%AFve.txt", "naïve.txt"],
    ['attachment; filename="dir/"', "file.txt"],
    ["inline", "file.txt"],
  ])("with Content-Disposition %s the file is called %s", async (disposition, name) => {
    answer = (_request, response) => {
      response.setHeader("content-disposition", disposition);
      response.end();
    };
    expect(await (await get(fresh())).file()).toMatchObject({ name });
  });

  it("asks again with the entity tag, and takes what it has when nothing has changed", async () => {
    const url = fresh();
    answer = (request, response) => {
      response.setHeader("etag", '"1"');
      if (request.headers["if-none-match"] === '"1"') response.writeHead(304).end();
      else response.end("hello");
    };
    const first = await get(url);
    const second = await get(url);
    expect(asked.map(({ headers }) => headers["if-none-match"])).toEqual([undefined, '"1"']);
    expect(second.cacheKey).toBe(first.cacheKey);
    expect(await second.file()).toMatchObject({ text: "hello" });
    expect(asked).toHaveLength(2);
  });

  it("sees a change behind the same URL", async () => {
    const url = fresh();
    const first = await get(url);
    answer = (_request, response) => response.end("changed");
    const second = await get(url);
    expect(second.cacheKey).not.toBe(first.cacheKey);
    expect(await second.file()).toMatchObject({ text: "changed" });
  });

  it("trusts a time of change only when it is old enough to tell changes after it", async () => {
    const times: readonly (readonly [string, boolean])[] = [
      ["Tue, 14 Nov 2023 22:13:20 GMT", true],
      [new Date().toUTCString(), false],
    ];
    for (const [time, trusted] of times) {
      const url = fresh();
      asked = [];
      answer = (request, response) => {
        response.setHeader("last-modified", time);
        if (request.headers["if-modified-since"]) response.writeHead(304).end();
        else response.end("hello");
      };
      await get(url);
      await get(url);
      expect(asked[1]?.headers["if-modified-since"]).toBe(trusted ? time : undefined);
    }
  });

  it("asks once in a build, whoever uses the file", async () => {
    const session = sessionOf({});
    const source = createHttpSources({
      content,
      metadata,
      snapshotter,
      userAgent,
      environment: {},
    })[0];
    const url = fresh();
    const id = {
      scheme: "http",
      rest: url.slice(7),
      platform: { os: "linux", architecture: "amd64" },
    };
    await Promise.all([
      source.resolve({ ...id, attrs: {} }, session, step),
      source.resolve({ ...id, attrs: { "http.filename": "b" } }, session, step),
    ]);
    expect(asked).toHaveLength(1);
  });

  it("with the right checksum asks the server once and for all", async () => {
    const url = fresh();
    const attrs = { "http.checksum": digestOf("hello") };
    const first = await get(url, attrs);
    expect(asked).toHaveLength(0);
    expect(await first.file()).toMatchObject({ text: "hello" });
    expect(await (await get(url, attrs)).file()).toMatchObject({ text: "hello" });
    expect(asked).toHaveLength(1);
  });

  it("takes sha512 too", async () => {
    const sum =
      "9b71d224bd62f3785d96d46ad3ea3d73319bfbc2890caadae2dff72519673ca72323c3d99ba5c11d7c7acc6e14b8c5da0c4663475c2e5c3adef46f73bcdec043";
    const good = await get(fresh(), { "http.checksum": `sha512:${sum}` });
    expect(await good.file()).toMatchObject({ text: "hello" });
    const bad = await get(fresh(), { "http.checksum": `sha512:${sum.replace("9", "8")}` });
    await expect(bad.file()).rejects.toMatchObject({ code: "CHECKSUM_MISMATCH" });
  });

  it("never hands on a file with another checksum", async () => {
    const wrong = digestOf("else");
    const found = await get(fresh(), { "http.checksum": wrong });
    await expect(found.file()).rejects.toMatchObject({
      code: "CHECKSUM_MISMATCH",
      message: expect.stringContaining(`has checksum ${digestOf("hello")}, not ${wrong}`),
    });
  });

  it("sends the host's secrets to the host, and not where it redirects to", async () => {
    answer = (request, response) => {
      if (request.headers.host === at.slice(7))
        response.writeHead(302, { location: `${elsewhere}/there` }).end();
      else response.end("hello");
    };
    const secrets = { "HTTP_AUTH_TOKEN_127.0.0.1": "s3cret" };
    const found = await get(fresh(), {}, sessionOf(secrets));
    expect(await found.file()).toMatchObject({ name: "file.txt", text: "hello" });
    expect(asked.map(({ headers }) => headers.authorization)).toEqual(["Bearer s3cret", undefined]);
  });

  it("names the secret that a definition wants and the build was not given", async () => {
    await expect(get(fresh(), { "http.authheadersecret": "MINE" })).rejects.toMatchObject({
      code: "SECRET_NOT_FOUND",
      hint: "Give it with --secret id=MINE,src=FILE.",
    });
  });

  it.each([
    [404, "Check the address for mistakes."],
    [403, "Give a token with --secret id=HTTP_AUTH_TOKEN_127.0.0.1,env=VARIABLE."],
  ])("says what a status of %i means", async (status, hint) => {
    answer = (_request, response) => response.writeHead(status).end();
    const url = fresh();
    await expect(get(url)).rejects.toMatchObject({
      code: "HTTP_FAILED",
      message: expect.stringContaining(`downloading ${url}: the server answered ${status}`),
      hint,
    });
  });

  it("tries again after a cut in the middle", async () => {
    answer = (_request, response) => {
      response.setHeader("content-length", "5");
      if (asked.length === 1) response.write("he", () => response.destroy());
      else response.end("hello");
    };
    expect(await (await get(fresh())).file()).toMatchObject({ text: "hello" });
  });

  it("goes on where it was cut when the server still has the same file", async () => {
    const data = "0123456789".repeat(1000);
    answer = (request, response) => {
      response.setHeader("etag", '"same"');
      const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? -1);
      if (from === -1) {
        response.setHeader("content-length", data.length);
        response.write(data.slice(0, 4000), () => setTimeout(() => response.destroy(), 50));
      } else {
        response.writeHead(206, { "content-range": `bytes ${from}-9999/10000` });
        response.end(data.slice(from));
      }
    };
    expect(await (await get(fresh())).file()).toMatchObject({ text: data });
    expect(asked.map(({ headers }) => [headers.range, headers["if-range"]])).toEqual([
      [undefined, undefined],
      ["bytes=4000-", '"same"'],
    ]);
  });

  it("begins again when the file was changed in between", async () => {
    answer = (_request, response) => {
      response.setHeader("etag", `"${Math.min(asked.length, 2)}"`);
      response.setHeader("content-length", "5");
      if (asked.length === 1) response.write("old", () => setTimeout(() => response.destroy(), 50));
      else response.end("later");
    };
    expect(await (await get(fresh())).file()).toMatchObject({ text: "later" });
  });

  it("ends a circle of redirects", async () => {
    answer = (request, response) => response.writeHead(302, { location: `${request.url}x` }).end();
    await expect(get(fresh())).rejects.toMatchObject({
      code: "HTTP_FAILED",
      message: expect.stringContaining("redirected more than 10 times"),
    });
  });

  it("leaves credentials of the URL out of its errors", async () => {
    answer = (_request, response) => response.writeHead(404).end();
    const url = fresh().replace("http://", "http://me:pa55@");
    await expect(get(url)).rejects.toMatchObject({ message: expect.not.stringContaining("pa55") });
    expect(asked[0]?.headers.authorization).toBe(`Basic ${btoa("me:pa55")}`);
  });

  const signedFile = (name: string) =>
    readFileSync(new URL(`../../src/formats/openpgp/golden/${name}`, import.meta.url), "utf8");
  const signedBy = (key: string, signature: string) => ({
    "http.sig.pubkey": signedFile(`${key}.key.asc`),
    "http.sig.signature": signedFile(`${signature}.sig.asc`),
  });

  it("takes a file that one of the given keys signed", async () => {
    answer = (_request, response) => response.end(signedFile("data.txt"));
    const plain = await get(`${at}/signed`);
    const found = await get(`${at}/signed`, signedBy("ed", "both"));
    expect(found.cacheKey).toBe(plain.cacheKey);
    expect((await found.file()).text).toBe(signedFile("data.txt"));
  });

  it.each([
    ["by another key", "ed", "rsa", "none of the given keys"],
    ["by a revoked key", "revoked", "revoked", "has been revoked"],
    ["by a short key", "short", "short", "too short"],
    ["with a weak hash", "rsa", "rsa-sha1", "weak hash"],
  ])("refuses a file that was signed %s", async (_, key, signature, message) => {
    answer = (_request, response) => response.end(signedFile("data.txt"));
    const asking = get(`${at}/signed`, signedBy(key, signature));
    await expect(asking).rejects.toMatchObject({
      code: "SIGNATURE_INVALID",
      message: expect.stringContaining(message),
    });
  });

  it("refuses a signed file that was changed, whatever its checksum, and though it is known already", async () => {
    const text = `${signedFile("data.txt")}more`;
    answer = (_request, response) => response.end(text);
    await get(`${at}/signed`);
    const checksum = digestOf(text);
    for (const attrs of [{}, { "http.checksum": checksum }]) {
      const asking = get(`${at}/signed`, { ...signedBy("rsa", "rsa"), ...attrs });
      await expect(asking).rejects.toThrow("is for other bytes");
    }
  });

  it.each([
    { "http.sig.pubkey": "key" },
    { "http.sig.signature": "signature" },
    { "http.sig.pubkey": "", "http.sig.signature": "" },
    { "http.sig.pubkey": "no key", "http.sig.signature": "no signature" },
  ])("refuses half a signature: %o", async (attrs) => {
    await expect(get(`${at}/signed`, attrs)).rejects.toMatchObject({
      code: expect.stringMatching(/^(DEFINITION_INVALID|SIGNATURE_INVALID)$/),
    });
    expect(asked.length).toBeLessThanOrEqual(1);
  });

  it("takes what the session sends under its own address, once", async () => {
    let sent = 0;
    const session: Session = {
      ...sessionOf({}),
      upload: (id) => (id === "ctx" && sent++ === 0 ? bytesOf("from here") : undefined),
    };
    const found = await get("http://buildkit-session/ctx", { "http.filename": "context" }, session);
    expect(await found.file()).toMatchObject({ name: "context", text: "from here" });
    expect(asked).toHaveLength(0);
  });
});

const step: StepCall = { ...uncancelled, step: digestOf("step"), emit() {} };

function sessionOf(secrets: Readonly<Record<string, string>>): Session {
  const nothing = () => {
    throw new Error("not lent");
  };
  return {
    files: nothing,
    receive: nothing,
    directory: () => undefined,
    credentials: async () => undefined,
    ssh: async () => undefined,
    async secret(id) {
      const value = secrets[id];
      return value === undefined ? undefined : new TextEncoder().encode(value);
    },
  };
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
