import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Duplex, PassThrough } from "node:stream";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readAll, uncancelled } from "../../base/index.ts";
import {
  authHeader,
  contextKey,
  dockerEngine,
  isMissing,
  readDockerContexts,
  sshCommand,
  unframed,
} from "./index.ts";

let directory: string;
let server: Server | undefined;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "docker-"));
});
afterEach(() => {
  server?.close();
  server?.closeAllConnections();
  rmSync(directory, { recursive: true, force: true });
});

function storeContext(name: string, docker: unknown, pems: Record<string, string> = {}): void {
  const id = createHash("sha256").update(name).digest("hex");
  mkdirSync(join(directory, "contexts/meta", id), { recursive: true });
  writeFileSync(
    join(directory, "contexts/meta", id, "meta.json"),
    JSON.stringify({ Name: name, Endpoints: { docker } }),
  );
  mkdirSync(join(directory, "contexts/tls", id, "docker"), { recursive: true });
  for (const [file, text] of Object.entries(pems))
    writeFileSync(join(directory, "contexts/tls", id, "docker", file), text);
}

describe("docker's contexts", () => {
  test("the environment comes before docker's configuration", () => {
    writeFileSync(join(directory, "config.json"), '{"currentContext":"c"}');
    const current = (env: Record<string, string>) => readDockerContexts({ env, directory }).current;
    expect(current({})).toBe("c");
    expect(current({ DOCKER_CONTEXT: "d" })).toBe("d");
    expect(current({ DOCKER_CONTEXT: "d", DOCKER_HOST: "tcp://h:1" })).toBe("default");
  });

  test("have hosts and certificates", () => {
    storeContext("far", { Host: "tcp://1.2.3.4:2376", SkipTLSVerify: true }, { "ca.pem": "CA" });
    const contexts = readDockerContexts({ env: { DOCKER_CONTEXT: "far" }, directory });
    expect(contexts.names()).toEqual(["default", "far"]);
    expect(contexts.endpoint("far")).toEqual({
      host: "tcp://1.2.3.4:2376",
      tls: { ca: "CA", skipVerify: true },
    });
    expect(contexts.endpoint("no")).toBeUndefined();
    expect(contextKey(contexts)).toBe("far");
  });

  test("without any the engine of this machine is meant", () => {
    const contexts = readDockerContexts({ env: {}, directory });
    expect(contextKey(contexts)).toBe("unix:///var/run/docker.sock");
  });

  test("a context that is damaged is told of", () => {
    storeContext("bad", {});
    expect(() => readDockerContexts({ env: {}, directory }).endpoint("bad")).toThrow(
      /has no docker endpoint/,
    );
  });
});

describe("an engine", () => {
  const engineWith = async (handle: (path: string) => { status: number; body: string }) => {
    const socket = join(directory, "docker.sock");
    server = createServer((request, response) => {
      const { status, body } = handle(`${request.method} ${request.url}`);
      response.writeHead(status).end(body);
    });
    server.on("upgrade", (_request, stream: Duplex) => {
      stream.write("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\nfirst ");
      stream.on("data", (chunk: Uint8Array) => stream.end(chunk));
    });
    await new Promise<void>((resolve) => server?.listen(socket, resolve));
    return dockerEngine({ host: `unix://${socket}` }, {});
  };

  test("answers in JSON", async () => {
    const engine = await engineWith((path) => ({ status: 200, body: JSON.stringify({ path }) }));
    const answer = await engine.json(
      { method: "GET", path: "/info", query: { a: "b c" } },
      uncancelled,
    );
    expect(answer).toEqual({ path: "GET /v1.44/info?a=b+c" });
  });

  test("says what is wrong in its own words", async () => {
    const engine = await engineWith(() => ({
      status: 404,
      body: '{"message":"no such container: x"}',
    }));
    const failure = await engine
      .json({ method: "GET", path: "/x" }, uncancelled)
      .catch((error: unknown) => error);
    expect(String(failure)).toContain("Error response from daemon: no such container: x");
    expect(isMissing(failure)).toBe(true);
  });

  test("takes a long body without a warning, and need not read it to refuse", async () => {
    const engine = await engineWith(() => ({ status: 200, body: "{}" }));
    const warnings: Error[] = [];
    const warned = (warning: Error) => void warnings.push(warning);
    process.on("warning", warned);
    let sent = 0;
    async function* long() {
      for (; sent < 40; sent++) yield new Uint8Array(256 * 1024);
    }
    server?.removeAllListeners("request");
    server?.on("request", async (request, response) => {
      for await (const _ of request) await new Promise((resolve) => setImmediate(resolve));
      response.end("{}");
    });
    await engine.json({ method: "POST", path: "/load", body: long() }, uncancelled);
    expect(sent).toBe(40);
    server?.removeAllListeners("request");
    server?.on("request", (_request, response) => {
      response.writeHead(400).end('{"message":"no room"}');
    });
    sent = 0;
    const refused = engine.json({ method: "POST", path: "/load", body: long() }, uncancelled);
    await expect(refused).rejects.toThrow("no room");
    await new Promise((resolve) => setImmediate(resolve));
    process.off("warning", warned);
    expect(warnings).toEqual([]);
  });

  test("turns a request into a stream, and loses no byte of its beginning", async () => {
    const engine = await engineWith(() => ({ status: 200, body: "" }));
    const controller = new AbortController();
    const stream = await engine.hijack({ method: "POST", path: "/grpc" }, "h2c", controller);
    // Who asked for the stream may be done with asking while the stream is used.
    controller.abort();
    stream.write("second");
    expect(new TextDecoder().decode(await readAll(stream, 100, "stream"))).toBe("first second");
  });

  test("that is not there is told of as docker does", async () => {
    const engine = dockerEngine({ host: `unix://${directory}/no.sock` }, {});
    await expect(engine.done({ method: "GET", path: "/_ping" }, uncancelled)).rejects.toThrow(
      `Cannot connect to the Docker daemon at unix://${directory}/no.sock. Is the docker daemon running?`,
    );
  });
});

describe("the streams of a container's process", () => {
  const frame = (kind: number, text: string) => {
    const header = new Uint8Array(8);
    header[0] = kind;
    new DataView(header.buffer).setUint32(4, text.length);
    return [...header, ...new TextEncoder().encode(text)];
  };
  const raw = (bytes: number[], size: number) => {
    const source = new PassThrough();
    const all = Uint8Array.from(bytes);
    for (let at = 0; at < all.length; at += size) source.write(all.subarray(at, at + size));
    source.end();
    return source;
  };
  const read = async (source: Duplex) =>
    new TextDecoder().decode(await readAll(unframed(source, ["x"]), 1000, "out"));

  test.each([1, 3, 9, 1000])("come out of their frames in chunks of %i bytes", async (size) => {
    expect(
      await read(raw([...frame(1, "hello "), ...frame(1, ""), ...frame(1, "world")], size)),
    ).toBe("hello world");
  });

  test("what is said on standard error is the failure", async () => {
    await expect(read(raw([...frame(1, "a"), ...frame(2, "no such socket")], 5))).rejects.toThrow(
      "x failed: no such socket",
    );
  });

  test("other bytes are refused", async () => {
    await expect(
      read(raw([...new TextEncoder().encode("HTTP/1.1 500 oh no")], 100)),
    ).rejects.toThrow(/not in frames/);
  });
});

test("an address cannot become an option of ssh", () => {
  expect(sshCommand("ssh://me@host:2222").slice(3)).toEqual([
    "-l",
    "me",
    "-p",
    "2222",
    "--",
    "host",
  ]);
  for (const bad of ["ssh://-oProxyCommand=x", "ssh://me:secret@host", "ssh://"])
    expect(() => sshCommand(bad), bad).toThrow();
});

test("credentials go into docker's header", () => {
  const header = authHeader({ username: "u", password: "p" }, "docker.io");
  expect(JSON.parse(atob(header.replaceAll("-", "+").replaceAll("_", "/")))).toEqual({
    username: "u",
    password: "p",
    serveraddress: "https://index.docker.io/v1/",
  });
});
