// Connections that mean no good: garbage, calls that never end, clients that do not read, thousands of sessions.
import { randomBytes, randomUUID } from "node:crypto";
import { setMaxListeners } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect as connectHttp2, constants } from "node:http2";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { BuildRequest, Session } from "../../src/api/index.ts";
import { AsyncStack, abortReason, type Call, delay, uncancelled } from "../../src/base/index.ts";
import { openEngine } from "../../src/engine/engine.ts";
import { control } from "../../src/formats/proto/index.ts";
import { openRemoteBuilder, type RemoteBuilder } from "../../src/remote/client/index.ts";
import { Figures, serveBuilder } from "../../src/remote/daemon/index.ts";
import { createClient, createGrpcServer, openChannel } from "../../src/remote/grpc/index.ts";
import { shareDirectory } from "../../src/storage/directory/index.ts";
import { describeWith } from "../kit/needs.ts";

const now = () => new Date();
/** Milliseconds in which somebody honest must be answered meanwhile, on a machine that does other things too. */
const patience = 5000;
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

describeWith(["root"], "a daemon and connections that mean no good", () => {
  const owned = new AsyncStack();
  const figures = new Figures();
  let root: string;
  let path: string;

  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), "kiln-hostile-connections-"));
    owned.defer(() => rmSync(root, { recursive: true, force: true }));
    const engine = owned.use(
      await openEngine({ root: join(root, "store"), hosts: {}, version: "0.0.0", now }),
    );
    const version = { package: "kiln", version: "v0.0.0", revision: "" };
    const services = serveBuilder(engine, { workerId: "hostile", version, now, figures });
    const server = owned.use(createGrpcServer(services));
    path = join(root, "socket");
    const listener = createServer((socket) => void server.accept(socket));
    await new Promise<void>((done) => listener.listen({ path, backlog: 4096 }, done));
    owned.defer(() => listener.close());
  });

  afterAll(async () => {
    await owned[Symbol.asyncDispose]();
  });

  async function connected(): Promise<Socket> {
    const socket = connect(path);
    socket.on("error", () => {});
    await new Promise<void>((done) => socket.once("connect", done));
    return socket;
  }

  /** Somebody honest is answered on a connection of their own. */
  async function expectAnswer(): Promise<void> {
    await using channel = openChannel(connect(path));
    const client = createClient(control.ControlDefinition, channel);
    const { record } = await client.listWorkers(
      { filter: [] },
      { signal: AbortSignal.timeout(patience) },
    );
    expect(record).toHaveLength(1);
  }

  it("answers others while hundreds of connections send garbage, and cuts these off", async () => {
    const sockets = await Promise.all(Array.from({ length: 200 }, connected));
    const closed = sockets.map((socket) => new Promise((done) => socket.once("close", done)));
    sockets.forEach((socket, index) => {
      socket.resume();
      // Every other one begins as if it meant it.
      if (index % 2 === 0) socket.write(preface);
      socket.write(randomBytes(64 * 1024));
    });
    await expectAnswer();
    await Promise.all(closed);
  });

  it("answers others while thousands of calls are begun and never ended", async () => {
    const sessions = await Promise.all(
      Array.from({ length: 5 }, async () => {
        const socket = await connected();
        const session = connectHttp2("http://localhost", { createConnection: () => socket });
        session.on("error", () => {});
        const methods = ["Solve", "Session", "Status", "DiskUsage", "Prune"];
        for (let at = 0; at < 500; at++) {
          const call = session.request({
            ":method": "POST",
            ":path": `/moby.buildkit.v1.Control/${methods[at % methods.length]}`,
            "content-type": "application/grpc",
            te: "trailers",
          });
          call.on("error", () => {});
          // The beginning of a message that does not come.
          if (at % 2 === 0) call.write(Uint8Array.of(0, 0, 1, 0));
        }
        return session;
      }),
    );
    await delay(200, uncancelled);
    await expectAnswer();
    for (const session of sessions) session.destroy(undefined, constants.NGHTTP2_CANCEL);
    await expectAnswer();
  });

  it("holds thousands of sessions, and forgets them when their clients go", async () => {
    const connections = 4;
    const each = 500;
    const before = process.memoryUsage().heapUsed;
    const channels = await Promise.all(
      Array.from({ length: connections }, async () => openChannel(await connected())),
    );
    const gone = new AbortController();
    const begun = channels.flatMap((channel) => {
      const client = createClient(control.ControlDefinition, channel);
      return Array.from({ length: each }, async () => {
        const metadata = new Map([["x-docker-expose-session-uuid", [randomUUID()]]]);
        setMaxListeners(0, gone.signal);
        const silent = (async function* () {
          await new Promise((done) => gone.signal.addEventListener("abort", done, { once: true }));
          yield* [];
        })();
        const answers = client.session(silent, { signal: gone.signal, sendMetadata: metadata });
        await answers[Symbol.asyncIterator]().next();
      });
    });
    await Promise.all(begun);
    expect(figures.sessions).toBe(connections * each);
    await expectAnswer();
    const perSession = (process.memoryUsage().heapUsed - before) / (connections * each);
    console.log(`${(perSession / 1024).toFixed(0)} kB of heap a session, of both ends`);
    expect(perSession).toBeLessThan(200 * 1024);
    gone.abort(abortReason("all go"));
    for (const channel of channels) await channel[Symbol.asyncDispose]();
    await expect.poll(() => figures.sessions, { timeout: 10_000 }).toBe(0);
  });

  /** What a client lends whose results go to `receive`. */
  function lending(context: string, receive: Session["receive"]): Session {
    const session: Partial<Session> = {
      sharedKey: context,
      files: (_name, filter, asking) => shareDirectory(context, filter, asking),
      directory: () => undefined,
      receive,
      secret: async () => undefined,
      ssh: async () => undefined,
      credentials: async () => undefined,
    };
    return session as Session;
  }

  async function build(builder: RemoteBuilder, session: Session, call: Call): Promise<void> {
    const request: BuildRequest = {
      ref: randomUUID(),
      frontend: "dockerfile.v0",
      attrs: {},
      exporters: [{ type: "tar", attrs: {} }],
    };
    const running = builder.build(request, session, call);
    for await (const _event of running.events);
    await running.result;
  }

  it("waits for a client that does not read its result, in bounded memory, and builds for others", {
    timeout: 120_000,
  }, async () => {
    const contextOf = (name: string, size: number) => {
      const context = join(root, name);
      mkdirSync(context);
      writeFileSync(join(context, "Dockerfile"), "FROM scratch\nCOPY file /\n");
      for (let at = 0; at < size; at++)
        writeFileSync(join(context, "file"), randomBytes(1 << 20), { flag: "a" });
      return context;
    };
    const connectTo = async () => await connected();
    const slow = openRemoteBuilder(connectTo, { name: "slow" });
    const cancel = new AbortController();
    let asked = false;
    const stalled = build(
      slow,
      lending(contextOf("large", 96), async (_target, tar, { signal }) => {
        for await (const _chunk of tar) {
          asked = true;
          await new Promise((_, reject) =>
            signal.addEventListener("abort", () => reject(signal.reason)),
          );
        }
      }),
      cancel,
    );
    stalled.catch(() => {});
    await expect.poll(() => asked, { timeout: 60_000 }).toBe(true);
    await delay(500, uncancelled);
    // Without the patience, garbage that nobody has collected yet would count.
    const held = () => process.memoryUsage().arrayBuffers;
    await expect.poll(held, { timeout: 20_000, interval: 250 }).toBeLessThan(80 << 20);
    let received = 0;
    await using other = openRemoteBuilder(connectTo, { name: "other" });
    const reads: Session["receive"] = async (_target, tar) => {
      for await (const chunk of tar) received += chunk.length;
    };
    await build(other, lending(contextOf("small", 4), reads), uncancelled);
    expect(received).toBeGreaterThan(4 << 20);
    cancel.abort(abortReason("enough"));
    await expect(stalled).rejects.toThrow();
    await slow[Symbol.asyncDispose]();
    await expectAnswer();
  });
});
