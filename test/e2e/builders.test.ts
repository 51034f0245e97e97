// Builders with real neighbours: docker's own buildx sees what Kiln makes and the other way round; docker starts Kiln.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { describeWith } from "../kit/needs.ts";
import { openWorld, type World } from "./world.ts";

const peers = process.env["KILN_PEERS"] ?? "/tmp/peers";
const buildxPlugin = join(peers, "docker-config/cli-plugins/docker-buildx");
const dockerSocket = join(peers, "run/docker.sock");
const kilnProgram = resolve(import.meta.dirname, "../../bin/kiln");
const hasDocker = existsSync(join(peers, "bin/docker")) && existsSync(dockerSocket);

const needs = {
  buildx: existsSync(buildxPlugin) ? undefined : "docker's buildx (KILN_PEERS)",
  docker: hasDocker ? undefined : "a docker engine (KILN_PEERS)",
};

/** Skipped, with the reason printed, where the neighbours are not there. */
function describeBeside(
  missing: readonly (string | undefined)[],
  name: string,
  body: () => void,
): void {
  const reasons = missing.filter((one) => one !== undefined);
  if (reasons.length === 0) {
    describeWith(["bundle"], name, body);
    return;
  }
  console.warn(`skipped: ${name}: missing here: ${reasons.join(", ")}`);
  describe.skipIf(true)(name, body);
}

let world: World;
let config: string;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});
let configs = 0;
beforeEach(() => {
  config = join(world.directory, `docker-${++configs}`);
  mkdirSync(join(config, "cli-plugins"), { recursive: true });
});

function environment(): Record<string, string> {
  return {
    DOCKER_CONFIG: config,
    DOCKER_HOST: `unix://${dockerSocket}`,
    PATH: `${join(peers, "bin")}${delimiter}${process.env["PATH"]}`,
  };
}

function run(program: string, args: readonly string[]) {
  const env = { ...process.env, KILN_ROOT: world.root, ...environment() };
  const { status, stdout, stderr } = spawnSync(program, args, {
    env,
    encoding: "utf8",
    timeout: 120_000,
  });
  return { status, stdout, stderr };
}

const buildx = (...args: string[]) => run(realpathSync(buildxPlugin), args);
const kiln = (...args: string[]) => world.kiln(args, { env: environment() });
/** Times are seconds apart at most. */
const timeless = (text: string) => text.replaceAll(/\d{4}-\d\d-\d\d.\d\d:\d\d:\d\dZ?/g, "TIME");

describeBeside([needs.buildx, needs.docker], "both tools have the same builders", () => {
  const remote = [
    "--driver",
    "remote",
    "--platform",
    "linux/arm64,linux/s390x",
    "--driver-opt",
    "default-load=true",
    "tcp://127.0.0.1:1",
  ];

  it("what Kiln creates, buildx shows, uses and removes", async () => {
    expect((await kiln("create", "--name", "b1", ...remote)).stdout).toBe("b1\n");
    expect(
      (
        await kiln(
          "create",
          "--name",
          "b1",
          "--append",
          "--platform",
          "linux/arm64",
          "unix:///no.sock",
        )
      ).status,
    ).toBe(0);
    const theirs = buildx("inspect", "b1").stdout;
    expect(theirs).toContain("b11");
    expect((await kiln("inspect", "b1")).stdout).toBe(theirs);
    expect(buildx("use", "b1").status).toBe(0);
    expect((await kiln("ls", "--format", "{{.Name}} {{.Builder.Current}}")).stdout).toContain(
      "b1 true",
    );
    expect(buildx("rm", "b1").status).toBe(0);
    const gone = await kiln("inspect", "b1");
    expect([gone.status, gone.stderr]).toEqual([
      1,
      expect.stringContaining('no builder "b1" found'),
    ]);
  });

  it("what buildx creates, Kiln shows alike, uses and removes", async () => {
    expect(buildx("create", "--name", "b2", ...remote).status).toBe(0);
    expect(timeless((await kiln("inspect", "b2")).stdout)).toBe(
      timeless(buildx("inspect", "b2").stdout),
    );
    expect((await kiln("use", "b2")).status).toBe(0);
    expect(buildx("ls").stdout).toMatch(/^b2\* /m);
    const own = (await kiln("ls", "--format", "json")).stdout.split("\n");
    const json = (lines: readonly string[]) => lines.find((line) => line.includes('"b2"'));
    expect(json(own)).toBe(json(buildx("ls", "--format", "json").stdout.split("\n")));
    expect((await kiln("rm", "b2")).status).toBe(0);
    expect(buildx("inspect", "b2").stderr).toContain('no builder "b2" found');
  });

  it("docker's own builder looks alike", async () => {
    expect((await kiln("inspect", "default")).stdout).toBe(buildx("inspect", "default").stdout);
  });

  it("changes of both at once are all kept", async () => {
    const names = Array.from({ length: 6 }, (_value, at) => `c${at}`);
    await Promise.all(
      names.map(async (name, at) => {
        const args = ["create", "--name", name, "--driver", "remote", `tcp://127.0.0.1:${at + 1}`];
        if (at % 2 === 0) expect((await kiln(...args)).status).toBe(0);
        else expect(buildx(...args).status).toBe(0);
      }),
    );
    const listed = buildx("ls", "--format", "{{.Name}}").stdout.split("\n");
    expect(names.filter((name) => !listed.includes(name))).toEqual([]);
  });

  it.each([
    [["create", "--name", "x", "--driver", "foo"], 'failed to find driver "foo"'],
    [["create", "--driver", "docker"], 'additional instances of driver "docker" cannot be created'],
    [["create", "--driver", "remote"], "no remote endpoint provided"],
    [["create", "--append"], "append requires a builder name"],
    [["create", "--leave"], "leave requires instance name"],
    [["create", "--name", "default"], "default is a reserved name"],
    [["rm", "default"], "context builder cannot be removed"],
    [["stop", "nope"], 'no builder "nope" found'],
  ])("%j fails in the same words", async (args, words) => {
    const [own, theirs] = [await kiln(...args), buildx(...args)];
    expect([own.status, theirs.status]).toEqual([1, 1]);
    expect(theirs.stderr).toContain(words);
    expect(own.stderr).toContain(words);
  });
});

describeBeside([needs.buildx, needs.docker], "docker's engine", () => {
  it("builds what Kiln asks it for, and has the image afterwards", async () => {
    const context = world.context({ Dockerfile: "FROM scratch\nCOPY a /a\n", a: "hello" });
    const name = `kiln-e2e-${process.pid}:1`;
    const built = await kiln("build", "--builder", "default", "-t", name, context);
    expect(built.stderr).toContain("naming to");
    expect([built.status, run("docker", ["image", "rm", name]).status]).toEqual([0, 0]);
    const out = join(world.directory, "docker-out");
    expect((await kiln("build", "--builder", "default", "-o", out, context)).status).toBe(0);
    expect(readFileSync(join(out, "a"), "utf8")).toBe("hello");
  });

  it("starts Kiln as its plugin, for its own commands as well, and gets its old plugin back", async () => {
    symlinkSync(realpathSync(buildxPlugin), join(config, "cli-plugins/docker-buildx"));
    expect((await kiln("plugin", "install", "--buildx")).status).toBe(0);
    expect(run("docker", ["kiln", "version"]).stdout).toMatch(/^kiln \d/);
    expect(run("docker", ["buildx", "version"]).stdout).toMatch(
      /^github.com\/docker\/buildx v\S+ kiln-\S+\n$/,
    );
    expect(run("docker", ["__complete", "buildx", "ls", "--no"]).stdout).toContain("--no-trunc\t");
    const context = world.context({ Dockerfile: "FROM scratch\nCOPY a /a\n", a: "plugin" });
    const out = join(world.directory, "plugin-out");
    expect(run("docker", ["build", "-o", out, context]).status).toBe(0);
    expect(readFileSync(join(out, "a"), "utf8")).toBe("plugin");
    expect((await kiln("plugin", "uninstall")).status).toBe(0);
    expect(run("docker", ["buildx", "version"]).stdout).not.toContain("kiln");
  });
});

describeWith(["bundle", "registry"], "several nodes", () => {
  const daemons: ChildProcess[] = [];
  afterAll(() => {
    for (const daemon of daemons) daemon.kill("SIGKILL");
  });

  const serve = async (name: string) => {
    const socket = join(world.directory, `${name}.sock`);
    const args = ["serve", "--addr", `unix://${socket}`, "--root", join(world.directory, name)];
    const daemon = spawn(kilnProgram, args, { stdio: "ignore", env: process.env });
    daemons.push(daemon);
    for (let tries = 0; !existsSync(socket) && tries < 150; tries++) await sleep(100);
    return { daemon, address: `unix://${socket}` };
  };

  it("make one image, also when one of them has died", async () => {
    const [one, two] = [await serve("one"), await serve("two")];
    expect(
      (
        await kiln(
          "create",
          "--name",
          "two",
          "--driver",
          "remote",
          "--platform",
          "linux/amd64",
          one.address,
        )
      ).status,
    ).toBe(0);
    expect(
      (await kiln("create", "--name", "two", "--append", "--platform", "linux/arm64", two.address))
        .status,
    ).toBe(0);
    const context = world.context({ Dockerfile: "FROM scratch\nCOPY a /a\n", a: "nodes" });
    const build = async (tag: string) => {
      const name = `${world.registry.address}/nodes:${tag}`;
      const platforms = ["--platform", "linux/amd64,linux/arm64"];
      const built = await kiln(
        "build",
        "--builder",
        "two",
        ...platforms,
        "-t",
        name,
        "--push",
        "--progress",
        "plain",
        context,
      );
      expect(built.stderr).toContain("merging manifest list");
      expect(built.status).toBe(0);
      const { stdout } = await kiln("imagetools", "inspect", name);
      expect(stdout).toMatch(/Platform: +linux\/amd64[\s\S]*Platform: +linux\/arm64/);
      return built.stderr;
    };
    expect(await build("both")).toContain("[two1 ");
    two.daemon.kill("SIGKILL");
    await sleep(200);
    rmSync(two.address.slice("unix://".length), { force: true });
    expect(await build("left")).not.toContain("[two1 1/1]");
  });
});

describeWith(["bundle", "registry", "runtime", "emulation"], "the builder of the article", () => {
  it("is made by its name, used, inspected, and builds for two platforms", async () => {
    const created = await kiln("create", "builder");
    expect(created.stdout).toBe("builder\n");
    expect(created.stderr).toContain("kiln create --name builder");
    expect((await kiln("use", "builder")).status).toBe(0);
    expect((await kiln("inspect", "--bootstrap")).stdout).toMatch(
      /^Name: +builder\n[\s\S]*Platforms: +linux\/amd64/,
    );
    const context = world.context({ Dockerfile: "FROM busybox\nRUN uname -m > /machine\n" });
    const name = `${world.registry.address}/hello`;
    const built = await kiln(
      "build",
      "--platform",
      "linux/amd64,linux/arm64",
      "-t",
      name,
      context,
      "--push",
    );
    expect(built.status, built.stderr).toBe(0);
    expect((await kiln("imagetools", "inspect", name)).stdout).toContain("linux/arm64");
    expect((await kiln("rm", "builder")).status).toBe(0);
  });
});
