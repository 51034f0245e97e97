// Servers that want to harm: endless answers, loops, stolen credentials, words for the terminal, lies about bytes.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { call, gather, someBytes, source, testClient } from "../../../test/kit/registry-client.ts";
import { digestOf, type KilnError } from "../../base/index.ts";
import { mediaTypes } from "../../formats/oci/index.ts";
import { parseChallenges } from "./challenge.ts";
import { createHostTable, mirrorsOf } from "./endpoint.ts";

const open: { close(): void; closeAllConnections?(): void }[] = [];
afterEach(() => {
  for (const server of open.splice(0)) {
    server.closeAllConnections?.();
    server.close();
  }
});

async function serve(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> {
  const server = createServer((request, response) => {
    request.resume();
    if (request.url === "/v2/") return void response.end();
    answer(request, response);
  });
  open.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const failureOf = async (promise: Promise<unknown>): Promise<KilnError> => {
  try {
    await promise;
  } catch (error) {
    return error as KilnError;
  }
  throw new Error("nothing failed");
};
const credentials = async () => ({ username: "me", password: "secret" });
const blob = { mediaType: "x", digest: digestOf("data"), size: 4 };

function endless(response: ServerResponse): void {
  // To HEAD nothing can be written, however long one tries.
  if (response.req.method === "HEAD") return void response.end();
  const piece = new Uint8Array(65536);
  const more = () => {
    if (!response.destroyed) response.write(piece, () => setImmediate(more));
  };
  more();
}

describe("endless answers end at their limit:", () => {
  test("a manifest", async () => {
    const host = await serve((_, response) => endless(response));
    const failure = await failureOf(testClient().pull(`${host}/a`).resolve("1", call));
    expect(failure).toMatchObject({ code: "IMAGE_INVALID" });
  });

  test("the words of an error", async () => {
    const host = await serve((_, response) => {
      response.writeHead(400, { "content-type": "application/json" });
      endless(response);
    });
    const failure = await failureOf(testClient().checkPush(`${host}/a`, call));
    expect(failure).toMatchObject({ code: "REGISTRY_FAILED" });
  });

  test("a token", async () => {
    const host = await serve((request, response) => {
      if (request.url?.startsWith("/token")) return endless(response);
      response.writeHead(401, { "www-authenticate": 'Bearer realm="/token"' }).end();
    });
    const failure = await failureOf(
      testClient({ credentials }).pull(`${host}/a`).resolve("1", call),
    );
    expect(failure).toMatchObject({ code: "REGISTRY_FAILED" });
  });

  test("a blob", async () => {
    const host = await serve((_, response) => endless(response));
    const failure = await failureOf(gather(testClient().pull(`${host}/a`).read(blob, call)));
    expect(failure).toMatchObject({ code: "BLOB_CORRUPT" });
  });

  test("headers", async () => {
    const server = createTcpServer((socket) => {
      socket.on("error", () => {});
      socket.write("HTTP/1.1 200 OK\r\n");
      const line = `x: ${"y".repeat(1000)}\r\n`;
      const timer = setInterval(() => socket.write(line.repeat(50)), 1);
      socket.on("close", () => clearInterval(timer));
    });
    open.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const client = testClient({ hosts: { [host]: { http: true } }, limits: { retryBudget: 500 } });
    const failure = await failureOf(client.pull(`${host}/a`).resolve("1", call));
    expect(failure).toMatchObject({ code: "REGISTRY_UNREACHABLE" });
  });
});

describe("loops end:", () => {
  test("redirects in a circle", async () => {
    let asked = 0;
    const host = await serve((request, response) => {
      asked++;
      response.writeHead(307, { location: request.url }).end();
    });
    const failure = await failureOf(gather(testClient().pull(`${host}/a`).read(blob, call)));
    expect(failure).toMatchObject({ code: "REGISTRY_FAILED", details: { status: 307 } });
    expect(asked).toBeLessThan(20);
  });

  test("tokens that are never good enough", async () => {
    let tokens = 0;
    const host = await serve((request, response) => {
      if (!request.url?.startsWith("/token")) {
        return void response.writeHead(401, { "www-authenticate": 'Bearer realm="/token"' }).end();
      }
      response.end(JSON.stringify({ token: `t${++tokens}` }));
    });
    const failure = await failureOf(
      testClient({ credentials }).pull(`${host}/a`).resolve("1", call),
    );
    expect(failure).toMatchObject({ code: "REGISTRY_DENIED" });
    expect(tokens).toBeLessThan(8);
  });

  test("blobs that come a byte at a time and are cut", async () => {
    let asked = 0;
    const host = await serve((_, response) => {
      asked++;
      response.writeHead(200, { "content-length": 4 });
      response.write("d", () => setTimeout(() => response.destroy(), 2));
    });
    const client = testClient({ limits: { retryBudget: 300 } });
    await failureOf(gather(client.pull(`${host}/a`).read(blob, call)));
    expect(asked).toBeLessThan(60);
  });
});

describe("credentials stay where they belong:", () => {
  test.each([
    "http://127.0.0.1.evil.example/token",
    "http://evil.example/token",
    "file:///etc/passwd",
    "//evil.example",
    "javascript:x",
  ])("a realm at %s is not asked", async (realm) => {
    const host = await serve((_, response) => {
      response.writeHead(401, { "www-authenticate": `Bearer realm="${realm}"` }).end();
    });
    const failure = await failureOf(
      testClient({ credentials }).pull(`${host}/a`).resolve("1", call),
    );
    expect(failure).toMatchObject({
      code: "REGISTRY_FAILED",
      message: expect.stringContaining("not safe"),
    });
  });

  test("a registry elsewhere cannot make us ask this machine in the open", async () => {
    const { fetchToken } = await import("./token.ts");
    const challenge = { scheme: "bearer", parameters: { realm: "http://127.0.0.1:9/token" } };
    const wanted = {
      challenge,
      scopes: [],
      credentials: undefined,
      registry: new URL("https://registry.example/v2/"),
      now: Date.now,
    };
    const send = () => Promise.reject(new Error("was asked"));
    await expect(fetchToken(wanted, send, call)).rejects.toMatchObject({ code: "REGISTRY_FAILED" });
  });

  test("a redirect to another port is another host", async () => {
    const seen: (string | undefined)[] = [];
    const thief = await serve((request, response) => {
      seen.push(request.headers.authorization);
      response.end("data");
    });
    const host = await serve((request, response) => {
      if (!request.headers.authorization)
        return void response.writeHead(401, { "www-authenticate": "Basic" }).end();
      response.writeHead(302, { location: `http://${thief}/x` }).end();
    });
    expect(
      await gather(testClient({ credentials }).pull(`${host}/a`).read(blob, call)),
    ).toHaveLength(4);
    expect(seen).toEqual([undefined]);
  });

  test("a 401 of another host is not answered", async () => {
    const seen: (string | undefined)[] = [];
    const thief = await serve((request, response) => {
      seen.push(request.headers.authorization);
      response.writeHead(401, { "www-authenticate": "Basic" }).end();
    });
    const host = await serve((_, response) =>
      response.writeHead(302, { location: `http://${thief}/x` }).end(),
    );
    await failureOf(gather(testClient({ credentials }).pull(`${host}/a`).read(blob, call)));
    expect(seen.every((header) => header === undefined)).toBe(true);
  });
});

describe("lies are found out:", () => {
  test("a tag whose digest is not that of its document", async () => {
    const host = await serve((request, response) => {
      response.setHeader("docker-content-digest", digestOf("one"));
      response.setHeader("content-type", mediaTypes.ociIndex);
      if (request.method === "HEAD") return void response.setHeader("content-length", 3).end();
      response.end("two");
    });
    const repository = testClient().pull(`${host}/a`);
    const descriptor = await repository.resolve("1", call);
    expect(descriptor?.digest).toBe(digestOf("one"));
    if (!descriptor) return;
    expect(await failureOf(repository.readManifest(descriptor, call))).toMatchObject({
      code: "BLOB_CORRUPT",
    });
  });

  test("a digest that names something else than was asked for", async () => {
    const host = await serve((_, response) => {
      response.setHeader("docker-content-digest", digestOf("other"));
      response.setHeader("content-length", 5).end("other");
    });
    const failure = await failureOf(
      testClient().pull(`${host}/a`).resolve(digestOf("wanted"), call),
    );
    expect(failure).toMatchObject({ code: "BLOB_CORRUPT" });
  });

  test("another part than was asked for", async () => {
    let asked = 0;
    const host = await serve((_, response) => {
      if (asked++ > 0) {
        response.writeHead(206, { "content-range": "bytes 0-3/4", "content-length": 4 });
        return void response.end("data");
      }
      response.writeHead(200, { "content-length": 4 });
      response.write("da", () => setTimeout(() => response.destroy(), 5));
    });
    const failure = await failureOf(gather(testClient().pull(`${host}/a`).read(blob, call)));
    expect(failure).toMatchObject({
      code: "BLOB_CORRUPT",
      message: expect.stringContaining("another part"),
    });
  });

  test("bytes packed on the way", async () => {
    const host = await serve((_, response) => {
      response.setHeader("content-encoding", "gzip");
      response.end("data");
    });
    const failure = await failureOf(gather(testClient().pull(`${host}/a`).read(blob, call)));
    expect(failure).toMatchObject({
      code: "BLOB_CORRUPT",
      message: expect.stringContaining("gzip"),
    });
  });

  test("an upload that is to go nowhere", async () => {
    for (const location of ["", "ftp://evil.example/", "file:///etc/passwd"]) {
      const host = await serve((request, response) => {
        if (request.method === "HEAD") return void response.writeHead(404).end();
        response.writeHead(202, location === "" ? {} : { location }).end();
      });
      const data = source(someBytes(4));
      const failure = await failureOf(testClient().push(`${host}/a`).write(blob, data.open, call));
      expect(failure).toMatchObject({ code: "REGISTRY_FAILED" });
      expect(data.opened()).toBe(0);
    }
  });

  test("a token that would smuggle a header", async () => {
    const host = await serve((request, response) => {
      if (request.url?.startsWith("/token"))
        return void response.end(JSON.stringify({ token: "a\r\nx: y" }));
      response.writeHead(401, { "www-authenticate": 'Bearer realm="/token"' }).end();
    });
    expect(
      await failureOf(testClient({ credentials }).pull(`${host}/a`).resolve("1", call)),
    ).toMatchObject({ code: "REGISTRY_FAILED" });
  });
});

test("words of a registry cannot steer the terminal, and secrets in its URLs are not shown", async () => {
  const host = await serve((_, response) => {
    response.writeHead(400, { "content-type": "application/json" });
    const message = `\u001b[2J\u001b]0;owned\u0007line\nline\u202e${"x".repeat(5000)}`;
    response.end(JSON.stringify({ errors: [{ code: "EVIL\u001b[31m", message }] }));
  });
  const failure = await failureOf(testClient().checkPush(`${host}/a`, call));
  expect(failure.message).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  expect(failure.message.length).toBeLessThan(1200);
});

test("a challenge without end is read in no time", () => {
  const started = performance.now();
  for (const header of [
    'Bearer realm="'.repeat(20_000),
    "a=".repeat(50_000),
    "\\".repeat(100_000),
    `Bearer x="${"\\".repeat(100_000)}`,
    " ,".repeat(100_000),
  ]) {
    expect(parseChallenges(header).length).toBeLessThan(20_000);
  }
  expect(performance.now() - started).toBeLessThan(500);
});

test("mirrors of a configuration cannot leave their host", () => {
  for (const mirror of [
    "a.example/../../x",
    "a.example@evil.example",
    "a.example#x",
    "a.example?x",
    "http://",
    "",
    " ",
  ]) {
    const hosts = createHostTable({ hosts: { "docker.io": { mirrors: [mirror] } } });
    expect(() => mirrorsOf("docker.io/library/a", hosts)).toThrow(
      expect.objectContaining({ code: "CONFIG_INVALID" }),
    );
  }
});
