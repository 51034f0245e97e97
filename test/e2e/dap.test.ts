// An editor debugs a build: breakpoints, steps, stack, arguments, files and commands, by the Debug Adapter Protocol.
import { Buffer } from "node:buffer";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { join, resolve } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { describeWith, findBuildx } from "../kit/needs.ts";
import { openWorld, type World } from "./world.ts";

const kiln = resolve(import.meta.dirname, "../../bin/kiln");

type Body = Readonly<Record<string, unknown>>;

interface Editor {
  ask(command: string, given?: Body): Promise<Body>;
  /** The next event of a kind. */
  event(name: string): Promise<Body>;
  readonly exited: Promise<number | null>;
  readonly process: ChildProcess;
}

function openEditor(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  { program = kiln, cwd }: { readonly program?: string; readonly cwd?: string } = {},
): Editor {
  const process = spawn(program, ["dap", "build", ...args], {
    env,
    cwd,
    stdio: ["pipe", "pipe", "pipe"],
  });
  const waiting: {
    readonly takes: (message: Body) => boolean;
    readonly done: (m: Body) => void;
  }[] = [];
  const messages: Body[] = [];
  let held = "";
  const hand = (message: Body) => {
    const at = waiting.findIndex(({ takes }) => takes(message));
    if (at === -1) messages.push(message);
    else waiting.splice(at, 1)[0]?.done(message);
  };
  process.stdout?.setEncoding("latin1").on("data", (text: string) => {
    held += text;
    for (;;) {
      const header = /^Content-Length: (\d+)\r\n\r\n/.exec(held);
      if (!header) return;
      const start = header[0].length;
      const end = start + Number(header[1]);
      if (held.length < end) return;
      hand(JSON.parse(Buffer.from(held.slice(start, end), "latin1").toString("utf8")));
      held = held.slice(end);
    }
  });
  const next = (takes: (message: Body) => boolean): Promise<Body> => {
    const at = messages.findIndex(takes);
    const found = at === -1 ? undefined : messages.splice(at, 1)[0];
    return found
      ? Promise.resolve(found)
      : new Promise((done) => {
          waiting.push({ takes, done });
        });
  };
  let seq = 0;
  return {
    process,
    exited: new Promise((done) => process.once("close", (status) => done(status))),
    async ask(command, given = {}) {
      seq++;
      const body = JSON.stringify({ seq, type: "request", command, arguments: given });
      process.stdin?.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
      const own = seq;
      return await next((one) => one["type"] === "response" && one["request_seq"] === own);
    },
    event: (name) => next((one) => one["type"] === "event" && one["event"] === name),
  };
}

/** Members of what was answered, unchecked: a wrong one fails the test that reads it. */
// biome-ignore lint/suspicious/noExplicitAny: what an editor gets is JSON.
const read = (message: Body): any => message["body"];

describeWith(["root", "runtime", "registry", "bundle"], "kiln dap build", () => {
  let world: World;
  let daemon: ChildProcess;
  let socket: string;

  beforeAll(async () => {
    world = await openWorld();
    socket = join(world.directory, "kilnd.sock");
    const env = { ...process.env, KILN_CONFIG: join(world.directory, "kiln.toml") };
    const root = join(world.directory, "served");
    daemon = spawn(kiln, ["--root", root, "serve", "--addr", `unix://${socket}`], { env });
    let log = "";
    daemon.stderr?.setEncoding("utf8").on("data", (text: string) => {
      log += text;
    });
    for (let waited = 0; !log.includes("running server") && waited < 15_000; waited += 50)
      await setTimeout(50);
  });

  afterAll(async () => {
    daemon.kill("SIGKILL");
    await world[Symbol.asyncDispose]();
  });

  describe.each(["embedded", "kiln serve"])("on %s", (builder) => {
    const edit = (context: string): Editor =>
      openEditor([context], {
        ...process.env,
        KILN_CONFIG: join(world.directory, "kiln.toml"),
        KILN_ROOT: world.root,
        DOCKER_CONFIG: join(world.directory, "docker"),
        ...(builder === "kiln serve" ? { BUILDKIT_HOST: `unix://${socket}` } : {}),
      });

    it("stops where it is told, shows what is there, steps, and finishes", async () => {
      const context = world.context({
        Dockerfile:
          "FROM busybox\nENV FOO=bar\nRUN echo one > /one\n\nRUN echo two > /two\nRUN echo three > /three\n",
      });
      const path = join(context, "Dockerfile");
      const editor = edit(context);
      const able = read(await editor.ask("initialize", { adapterID: "kiln" }));
      expect(able.supportsConfigurationDoneRequest).toBe(true);
      await editor.event("initialized");
      await editor.ask("launch", {});
      // The empty line means the instruction below.
      const set = { source: { path }, breakpoints: [{ line: 4 }] };
      expect(read(await editor.ask("setBreakpoints", set)).breakpoints).toHaveLength(1);
      await editor.ask("configurationDone");
      expect(read(await editor.event("stopped"))).toMatchObject({ reason: "breakpoint" });
      const { stackFrames } = read(await editor.ask("stackTrace", { threadId: 1 }));
      expect(stackFrames[0]).toMatchObject({ line: 5, source: { path } });
      expect(stackFrames.map(({ line }: { line: number }) => line)).toEqual([5, 3, 1]);
      const { scopes } = read(await editor.ask("scopes", { frameId: 1 }));
      const open = async (reference: number) =>
        read(await editor.ask("variables", { variablesReference: reference })).variables;
      const given = await open(scopes[0].variablesReference);
      const exec = given.find(({ name }: { name: string }) => name === "exec");
      const inside = await open(exec.variablesReference);
      const env = inside.find(({ name }: { name: string }) => name === "env");
      expect(await open(env.variablesReference)).toContainEqual(
        expect.objectContaining({ name: "FOO", value: "bar" }),
      );
      const files = await open(scopes[1].variablesReference);
      const names = files.map(({ name }: { name: string }) => name);
      expect(names).toEqual(expect.arrayContaining(["one", "bin/"]));
      expect(names).not.toContain("two");
      const one = files.find(({ name }: { name: string }) => name === "one");
      expect(await open(one.variablesReference)).toContainEqual(
        expect.objectContaining({ name: "data", value: "one\n" }),
      );
      const said = await editor.ask("evaluate", { expression: "cat /one; echo $FOO" });
      expect(read(said).result).toBe("one\nbar\n");
      await editor.ask("next", { threadId: 1 });
      expect(read(await editor.event("stopped"))).toMatchObject({ reason: "step" });
      const after = read(await editor.ask("stackTrace", { threadId: 1 })).stackFrames;
      expect(after[0].line).toBe(6);
      await editor.ask("continue", { threadId: 1 });
      expect(read(await editor.event("exited")).exitCode).toBe(0);
      await editor.event("terminated");
      await editor.ask("disconnect");
      expect(await editor.exited).toBe(0);
    });

    it("stops where a step failed, with its files", async () => {
      const context = world.context({
        Dockerfile: "FROM busybox\nRUN echo state > /state && exit 3\n",
      });
      const editor = edit(context);
      await editor.ask("initialize");
      await editor.ask("launch", { stopOnEntry: true });
      await editor.ask("configurationDone");
      expect(read(await editor.event("stopped"))).toMatchObject({ reason: "entry" });
      await editor.ask("continue", { threadId: 1 });
      const stopped = read(await editor.event("stopped"));
      expect(stopped).toMatchObject({ reason: "exception" });
      expect(stopped.text).toContain("exit code: 3");
      const { result } = read(await editor.ask("evaluate", { expression: "cat /state" }));
      expect(result).toBe("state\n");
      await editor.ask("continue", { threadId: 1 });
      expect(read(await editor.event("exited")).exitCode).toBe(1);
      await editor.ask("disconnect");
      expect(await editor.exited).toBe(1);
    });

    it("ends with the editor", async () => {
      const editor = edit(world.context({ Dockerfile: "FROM busybox\nRUN sleep 300\n" }));
      await editor.ask("initialize");
      await editor.ask("launch", { stopOnEntry: true });
      await editor.ask("configurationDone");
      await editor.event("stopped");
      expect((await editor.ask("nonsense"))["success"]).toBe(false);
      await editor.ask("disconnect");
      expect(await editor.exited).not.toBe(undefined);
    });
  });

  const buildx = findBuildx();
  if (buildx === undefined) process.stdout.write("skipped: missing here: docker-buildx\n");
  it.skipIf(buildx === undefined)("docker buildx's own debugger works on kiln serve", async () => {
    const context = world.context({
      Dockerfile: "FROM busybox\nWORKDIR /work\nRUN echo state > file && exit 3\n",
    });
    const env = {
      ...process.env,
      BUILDX_EXPERIMENTAL: "1",
      BUILDX_CONFIG: join(world.directory, "buildx"),
      DOCKER_CONFIG: join(world.directory, "docker"),
    };
    const create = ["create", "--name", "k", "--driver", "remote", `unix://${socket}`];
    execFileSync(buildx as string, create, { env, stdio: "pipe" });
    const own = { ...env, BUILDX_BUILDER: "k" };
    const editor = openEditor(["."], own, { program: buildx as string, cwd: context });
    await editor.ask("initialize", { adapterID: "x" });
    await editor.ask("launch", { dockerfile: "Dockerfile", contextPath: "." });
    await editor.ask("configurationDone");
    const { threadId, reason } = read(await editor.event("stopped"));
    expect(reason).toBe("exception");
    const { stackFrames } = read(await editor.ask("stackTrace", { threadId }));
    expect(stackFrames[0].name).toContain("RUN echo state");
    const { scopes } = read(await editor.ask("scopes", { frameId: stackFrames[0].id }));
    const files = read(
      await editor.ask("variables", { variablesReference: scopes[1].variablesReference }),
    );
    const names = files.variables.map(({ name }: { name: string }) => name);
    expect(names).toEqual(expect.arrayContaining(["bin/", "work/"]));
    await editor.ask("continue", { threadId });
    await editor.event("terminated");
    // It leaves without waiting to be told.
    editor.process.kill();
    await editor.exited;
  });
});
