// A daemon with many clients of our own at once, on a socket that somebody else opened, and when it is told to stop.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, readFileSync, renameSync, symlinkSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { join, resolve } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { BuildRequest, Session } from "../../src/api/index.ts";
import { abortReason, type Call, uncancelled } from "../../src/base/index.ts";
import { openRemoteBuilder, type RemoteBuilder } from "../../src/remote/client/index.ts";
import { shareDirectory } from "../../src/storage/directory/index.ts";
import { describeWith } from "../kit/needs.ts";
import { openWorld, type World } from "./world.ts";

const kiln = resolve(import.meta.dirname, "../../bin/kiln");
const clients = 50;
/** Of the daemon while it builds for all of them, in MiB. */
const memoryLimit = 900;

describeWith(["root", "runtime", "registry", "bundle"], "a daemon under load", () => {
  let world: World;
  let socket: string;
  let listener: Server;
  let daemon: ChildProcess;
  let log = "";

  beforeAll(async () => {
    world = await openWorld();
    socket = join(world.directory, "activated.sock");
    // As systemd does it: the socket is there before the daemon, which gets it as descriptor 3.
    listener = createServer();
    await new Promise<void>((done) =>
      listener.listen({ path: `${socket}.new`, backlog: 512 }, done),
    );
    // Closing removes the name under which it was made.
    renameSync(`${socket}.new`, socket);
    const { fd } = (listener as unknown as { _handle: { fd: number } })._handle;
    const program = join(world.directory, "kilnd");
    symlinkSync(kiln, program);
    const started = `LISTEN_FDS=1 LISTEN_PID=$$ exec ${program} --root ${world.root} --addr fd://`;
    daemon = spawn("sh", ["-c", started], {
      env: { ...process.env, KILN_CONFIG: join(world.directory, "kiln.toml") },
      stdio: ["ignore", "ignore", "pipe", fd],
    });
    daemon.stderr?.setEncoding("utf8").on("data", (text: string) => {
      log += text;
    });
    const serves = () => log.includes("running server on fd 3");
    for (let waited = 0; !serves() && waited < 15_000; waited += 50) await setTimeout(50);
    if (!serves()) throw new Error(`the daemon does not run: ${log}`);
    // Only the daemon takes connections from here on.
    (listener as unknown as { _handle: { close(): void } })._handle.close();
  });

  afterAll(async () => {
    daemon.kill("SIGKILL");
    await world[Symbol.asyncDispose]();
  });

  const open = (): RemoteBuilder =>
    openRemoteBuilder(async () => connect(socket), { name: "loaded" });

  /** A build of `context` whose result is a tar of so many bytes. */
  async function build(builder: RemoteBuilder, context: string, call: Call): Promise<number> {
    let size = 0;
    const session: Partial<Session> = {
      sharedKey: context,
      files: (_name, filter, asking) => shareDirectory(context, filter, asking),
      directory: () => undefined,
      async receive(_target, tar) {
        for await (const chunk of tar) size += chunk.length;
      },
      secret: async () => undefined,
      ssh: async () => undefined,
      credentials: async () => undefined,
    };
    const request: BuildRequest = {
      ref: randomUUID(),
      frontend: "dockerfile.v0",
      attrs: {},
      exporters: [{ type: "tar", attrs: {} }],
    };
    const running = builder.build(request, session as Session, call);
    for await (const _event of running.events);
    await running.result;
    return size;
  }

  const memory = () =>
    Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${daemon.pid}/status`, "utf8"))?.[1]) / 1024;

  it(`builds for ${clients} clients at once, starves none and keeps its size`, async () => {
    const large = "large ".repeat(200_000);
    const begun = performance.now();
    const ended = await Promise.all(
      Array.from({ length: clients }, async (_, index) => {
        // Some of them run a step, too.
        const step = index % 10 === 0 ? `RUN echo ${index} > /made\n` : "";
        const context = world.context({
          Dockerfile: `FROM ${step ? "busybox" : "scratch"}\nCOPY . /files\n${step}`,
          mine: `${index}`,
          large: `${index}${large}`,
        });
        await using builder = open();
        const size = await build(builder, context, uncancelled);
        return { size, seconds: (performance.now() - begun) / 1000 };
      }),
    );
    for (const { size } of ended) expect(size).toBeGreaterThan(1_200_000);
    const seconds = ended.map((one) => one.seconds).sort((a, b) => a - b);
    const [last = 0] = seconds.slice(-1);
    console.log(
      `${clients} builds: first ${seconds[0]?.toFixed(1)} s, middle ${seconds[clients / 2]?.toFixed(1)} s, last ${last.toFixed(1)} s; ${memory().toFixed(0)} MiB`,
    );
    expect(memory()).toBeLessThan(memoryLimit);
  });

  it("ends the work of a client that vanishes, and nobody else's", async () => {
    const context = (word: string) =>
      world.context({ Dockerfile: `FROM busybox\nRUN sleep ${word}; echo made\n` });
    const runs = (word: string) => spawnSync("pgrep", ["-f", `^sleep ${word}`]).status === 0;
    const gone = open();
    const victim = build(gone, context("4711"), uncancelled);
    const outcome = expect(victim).rejects.toThrow();
    await using builder = open();
    const survivor = build(builder, context("5.0815"), uncancelled);
    await expect.poll(() => runs("4711") && runs("5.0815"), { timeout: 20_000 }).toBe(true);
    // The connection is cut; nothing is said.
    await gone[Symbol.asyncDispose]();
    await outcome;
    await expect.poll(() => runs("4711"), { timeout: 10_000 }).toBe(false);
    expect(await survivor).toBeGreaterThan(100_000);
  });

  it("ends one build of a connection, and not the other", async () => {
    const context = (word: string) =>
      world.context({ Dockerfile: `FROM busybox\nRUN sleep ${word}; echo made\n` });
    const runs = (word: string) => spawnSync("pgrep", ["-f", `^sleep ${word}`]).status === 0;
    await using builder = open();
    const cancel = new AbortController();
    const victim = expect(build(builder, context("4712"), cancel)).rejects.toThrow("enough");
    const survivor = build(builder, context("5.0816"), uncancelled);
    await expect.poll(() => runs("4712") && runs("5.0816"), { timeout: 20_000 }).toBe(true);
    cancel.abort(abortReason("enough"));
    await victim;
    await expect.poll(() => runs("4712"), { timeout: 10_000 }).toBe(false);
    expect(await survivor).toBeGreaterThan(100_000);
  });

  it("ends within seconds of SIGTERM though a step does not listen, and leaves nothing", async () => {
    const context = world.context({
      Dockerfile: "FROM busybox\nRUN trap '' TERM INT HUP; sleep 4713\n",
    });
    const runs = () => spawnSync("pgrep", ["-f", "^sleep 4713"]).status === 0;
    await using builder = open();
    const told = expect(build(builder, context, uncancelled)).rejects.toThrow(
      /stopping|lost|closed/,
    );
    await expect.poll(runs, { timeout: 20_000 }).toBe(true);
    const exited = new Promise<number | null>((done) => daemon.once("exit", done));
    const begun = performance.now();
    daemon.kill("SIGTERM");
    expect(await Promise.race([exited, setTimeout(20_000, "still there")])).toBe(0);
    console.log(`ended after ${((performance.now() - begun) / 1000).toFixed(1)} s`);
    await told;
    expect(runs()).toBe(false);
    expect(readFileSync("/proc/mounts", "utf8")).not.toContain(world.root);
    // The socket is not the daemon's to remove: the next connection starts it again.
    expect(existsSync(socket)).toBe(true);
  });
});
