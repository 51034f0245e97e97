// Steps that are hostile to the proxy, and servers that are hostile to steps.
import { once } from "node:events";
import { createServer as createHttp, request as httpRequest, type Server } from "node:http";
import { createServer as createHttps } from "node:https";
import { type AddressInfo, connect, createServer as createTcp, Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { afterEach, describe, expect, it } from "vitest";
import type { NamedSource } from "../../api/index.ts";
import { AsyncStack, digestOf, KilnError } from "../../base/index.ts";
import type { Egress } from "../executor/index.ts";
import { ProxyAuthority } from "./authority.ts";
import { Capture } from "./capture.ts";
import { serveStep } from "./server.ts";

const stack: AsyncStack[] = [];
afterEach(async () => {
  for (const one of stack.splice(0)) await one[Symbol.asyncDispose]();
});

function owned(): AsyncStack {
  const [one] = stack;
  if (one) return one;
  const made = new AsyncStack();
  stack.push(made);
  return made;
}

async function listen(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  owned().defer(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

interface Opened {
  readonly port: number;
  readonly capture: Capture;
  readonly authority: ProxyAuthority;
  readonly broken: KilnError[];
}

/** A proxy that may reach this machine, where its servers are. */
async function openProxy(
  judge: (source: NamedSource) => NamedSource = (source) => source,
  egress: Partial<Egress> = {},
): Promise<Opened> {
  const authority = new ProxyAuthority(() => new Date());
  const capture = new Capture();
  const broken: KilnError[] = [];
  const served = serveStep(
    { port: 0, host: "127.0.0.1" },
    { machine: true, hosts: [], socket: async () => new Socket(), ...egress },
    { authority, capture, judge: async (source) => judge(source), onBroken: (e) => broken.push(e) },
  );
  owned().use(served);
  if (!served.server.listening) await once(served.server, "listening");
  const { port } = served.server.address() as AddressInfo;
  return { port, capture, authority, broken };
}

/** What comes back for these bytes, until the proxy hangs up or `until` has come. */
async function say(port: number, text: string, until?: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  let answer = "";
  socket.setEncoding("latin1").on("data", (data: string) => {
    answer += data;
    if (until !== undefined && answer.includes(until)) socket.destroy();
  });
  socket.write(text);
  await once(socket, "close");
  return answer;
}

const close = "Connection: close\r\n\r\n";

describe("a step that is hostile to its proxy", () => {
  const echo = () => {
    const heads: string[][] = [];
    const server = createHttp((request, response) => {
      heads.push(request.rawHeaders);
      let size = 0;
      request.on("data", (data: Uint8Array) => {
        size += data.length;
      });
      request.on("end", () => response.end(`${request.method} ${request.url} ${size}`));
    });
    return { server, heads };
  };

  it.each([
    ["two lengths", "Content-Length: 4\r\nContent-Length: 9\r\n"],
    ["a length and chunks", "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n"],
    ["an encoding of its own", "Transfer-Encoding: cow\r\n"],
    ["a header before its colon", "Content-Length : 4\r\n"],
    ["a folded header", "X: a\r\n b\r\nContent-Length: 0\r\n"],
  ])("smuggles nothing with %s", async (_, headers) => {
    const { server, heads } = echo();
    const to = await listen(server);
    const { port } = await openProxy();
    const url = `http://127.0.0.1:${to}/a`;
    const smuggled = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
    const answer = await say(
      port,
      `POST ${url} HTTP/1.1\r\nHost: x\r\n${headers}${close}0\r\n\r\n${smuggled}`,
    );
    expect(answer).not.toContain("/smuggled");
    expect(heads.length).toBeLessThanOrEqual(1);
  });

  it("cannot send headers without end, or with another's name", async () => {
    const { server, heads } = echo();
    const to = await listen(server);
    const { port } = await openProxy();
    const url = `http://127.0.0.1:${to}/a`;
    const long = `X: ${"y".repeat(80_000)}\r\n`;
    expect(await say(port, `GET ${url} HTTP/1.1\r\nHost: x\r\n${long}${close}`)).toMatch(
      /^HTTP\/1.1 431/,
    );
    await say(
      port,
      `GET ${url} HTTP/1.1\r\nHost: other.example\r\nConnection: close, X-Mine\r\nX-Mine: 1\r\nProxy-Authorization: secret\r\nUpgrade: websocket\r\nTE: trailers\r\n\r\n`,
    );
    const names = heads[0]?.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase());
    expect(heads[0]).toContain(`127.0.0.1:${to}`);
    expect(heads[0]).not.toContain("other.example");
    for (const name of ["x-mine", "proxy-authorization", "upgrade", "te"])
      expect(names).not.toContain(name);
  });

  it.each([
    "GET ftp://x/ HTTP/1.1",
    "GET http:// HTTP/1.1",
    "GET file:///etc/passwd HTTP/1.1",
    "CONNECT nowhere HTTP/1.1",
    "CONNECT host:0 HTTP/1.1",
    "CONNECT host:99999 HTTP/1.1",
    "CONNECT a@host:443 HTTP/1.1",
    "CONNECT host:443/path HTTP/1.1",
  ])("is told that %s is none", async (line) => {
    const { port } = await openProxy();
    expect(await say(port, `${line}\r\nHost: x\r\n${close}`)).toMatch(/^HTTP\/1.1 400/);
  });

  it("does not reach the machine, by whatever name", async () => {
    const { server } = echo();
    const to = await listen(server);
    const { port } = await openProxy((source) => source, {
      machine: false,
      hosts: [{ host: "alias.example", ip: "127.0.0.1" }],
    });
    for (const host of [
      "127.0.0.1",
      "localhost",
      "[::1]",
      "0",
      "2130706433",
      "0x7f.1",
      "[::ffff:127.0.0.1]",
      "alias.example",
    ]) {
      const answer = await say(port, `GET http://${host}:${to}/a HTTP/1.1\r\nHost: x\r\n${close}`);
      expect(answer).toMatch(/^HTTP\/1.1 502/);
      expect(answer).toContain("steps cannot reach");
    }
  });

  it("cannot ask one server in the name of another within a tunnel", async () => {
    const { server } = echo();
    const to = await listen(server);
    const { port, capture } = await openProxy();
    const answer = await say(
      port,
      `CONNECT 127.0.0.1:${to} HTTP/1.1\r\nHost: x\r\n\r\nGET /a HTTP/1.1\r\nHost: denied.example\r\n${close}`,
    );
    expect(answer).toContain("421 Misdirected Request");
    expect(capture.summary).toBeUndefined();
  });

  it("gets no tunnel for what is no HTTP", async () => {
    let reached = 0;
    const raw = createTcp((socket) => {
      reached++;
      socket.destroy();
    });
    raw.listen(0, "127.0.0.1");
    await once(raw, "listening");
    owned().defer(() => raw.close());
    const { port } = await openProxy();
    const to = (raw.address() as AddressInfo).port;
    const answer = await say(
      port,
      `CONNECT 127.0.0.1:${to} HTTP/1.1\r\nHost: x\r\n\r\nSSH-2.0-mine\r\n\r\n`,
    );
    expect(answer).toContain("400 Bad Request");
    expect(reached).toBe(0);
  });

  it("has so many connections and no more", async () => {
    const { port } = await openProxy();
    const sockets = Array.from({ length: 300 }, () => connect(port, "127.0.0.1"));
    let closed = 0;
    for (const socket of sockets) {
      socket.on("error", () => {});
      socket.on("close", () => closed++);
    }
    await expect.poll(() => closed, { timeout: 10_000 }).toBe(300 - 256);
    for (const socket of sockets) socket.destroy();
  });

  it("that reads slowly makes nobody hold what it does not read", async () => {
    const size = 256 << 20;
    let sent = 0;
    const server = createHttp((_, response) => {
      response.writeHead(200, { "content-length": size });
      const more = (): void => {
        while (sent < size) {
          sent += 1 << 16;
          if (!response.write(new Uint8Array(1 << 16))) return void response.once("drain", more);
        }
      };
      more();
    });
    const to = await listen(server);
    const { port, capture } = await openProxy();
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {});
    socket.write(`GET http://127.0.0.1:${to}/ HTTP/1.1\r\nHost: x\r\n\r\n`);
    await once(socket, "readable");
    let before = -1;
    await expect
      .poll(
        () => {
          const still = sent === before;
          before = sent;
          return still;
        },
        { interval: 300, timeout: 10_000 },
      )
      .toBe(true);
    expect(sent).toBeLessThan(64 << 20);
    socket.destroy();
    await expect.poll(() => capture.fetched.incomplete.length).toBe(1);
    expect(capture.fetched.materials).toEqual([]);
  });

  it("cannot fill log and provenance", async () => {
    const capture = new Capture();
    for (let at = 0; at < 20_000; at++) {
      capture.request({ method: "GET", url: `http://x/${at}`, status: 200 });
      capture.material(`http://x/${at}`, digestOf("x"));
    }
    expect(capture.summary?.split("\n").length).toBeLessThan(1010);
    expect(capture.summary).toContain("(and 19000 more)");
    expect(capture.fetched.materials).toHaveLength(10_000);
    expect(capture.fetched.incomplete.length).toBeGreaterThan(0);
  });
});

describe("a server that is hostile", () => {
  const trusting = (port: number, tunnel: string, authority: string) =>
    new Promise<string>((resolve, reject) => {
      const asked = httpRequest({ port, method: "CONNECT", path: tunnel });
      asked.once("connect", (_, socket) => {
        const secure = connectTls({ socket, ca: authority, servername: "localhost" });
        let answer = "";
        secure.setEncoding("latin1").on("data", (data: string) => {
          answer += data;
        });
        secure.once("error", reject);
        secure.once("close", () => resolve(answer));
        secure.write(`GET /a HTTP/1.1\r\nHost: ${tunnel}\r\n${close}`);
      });
      asked.once("error", reject);
      asked.end();
    });

  it("is not believed without a certificate that somebody trusts", async () => {
    const stranger = new ProxyAuthority(() => new Date());
    let asked = 0;
    const server = createHttps(
      { SNICallback: (_, done) => done(null, stranger.contextFor("localhost")) },
      (_, response) => {
        asked++;
        response.end();
      },
    );
    const to = await listen(server);
    const { port, authority, capture } = await openProxy();
    const answer = await trusting(port, `localhost:${to}`, authority.pem);
    expect(answer).toMatch(/^HTTP\/1.1 502/);
    expect(answer).toMatch(/certificate/);
    expect(asked).toBe(0);
    expect(capture.fetched.incomplete).toMatchObject([{ reason: "upstream_error" }]);
  });

  it.each([
    ["no HTTP", "hello\r\n\r\n"],
    ["two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"],
    [
      "a length and chunks",
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
    ["headers without end", `HTTP/1.1 200 OK\r\nX: ${"y".repeat(100_000)}\r\n\r\n`],
    ["nothing", ""],
  ])("that answers with %s is a bad gateway", async (_, text) => {
    const raw = createTcp((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => socket.end(text));
    });
    raw.listen(0, "127.0.0.1");
    await once(raw, "listening");
    owned().defer(() => raw.close());
    const { port, capture } = await openProxy();
    const to = (raw.address() as AddressInfo).port;
    const answer = await say(port, `GET http://127.0.0.1:${to}/ HTTP/1.1\r\nHost: x\r\n${close}`);
    expect(answer).toMatch(/^HTTP\/1.1 502/);
    expect(capture.fetched.materials).toEqual([]);
  });

  it("that cuts its answer leaves no material", async () => {
    const server = createHttp((_, response) => {
      response.writeHead(200, { "content-length": 10 });
      response.write("abc", () => response.destroy());
    });
    const to = await listen(server);
    const { port, capture } = await openProxy();
    await say(port, `GET http://127.0.0.1:${to}/ HTTP/1.1\r\nHost: x\r\n${close}`);
    await expect
      .poll(() => capture.fetched.incomplete)
      .toMatchObject([{ reason: "body_read_failed" }]);
    expect(capture.fetched.materials).toEqual([]);
  });

  it("that changes a pinned file is found out before its last byte is passed on", async () => {
    const server = createHttp((_, response) => response.end("not what was pinned"));
    const to = await listen(server);
    const judge = (source: NamedSource) => ({
      ...source,
      attrs: { "http.checksum": digestOf("what was pinned") },
    });
    const { port, broken } = await openProxy(judge);
    const answer = await say(
      port,
      `GET http://127.0.0.1:${to}/ HTTP/1.1\r\nHost: x\r\nRange: bytes=0-3\r\n${close}`,
    );
    expect(answer).not.toContain("not what was pinned");
    expect(broken).toMatchObject([{ code: "CHECKSUM_MISMATCH" }]);
  });

  it("that a policy denies is not asked", async () => {
    let asked = 0;
    const server = createHttp((_, response) => {
      asked++;
      response.end();
    });
    const to = await listen(server);
    const { port, capture } = await openProxy(() => {
      throw new KilnError("SOURCE_DENIED", "not this one");
    });
    const answer = await say(
      port,
      `GET http://me:secret@127.0.0.1:${to}/ HTTP/1.1\r\nHost: x\r\n${close}`,
    );
    expect(answer).toMatch(/^HTTP\/1.1 403/);
    expect(answer).toContain("not this one");
    expect(asked).toBe(0);
    expect(capture.summary).toBe(
      `proxy network requests:\n- GET http://xxxxx:xxxxx@127.0.0.1:${to}/ -> 403\n  not this one\n`,
    );
  });
});
