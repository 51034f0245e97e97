// The daemon serves stock clients: docker buildx with its remote driver builds, pushes, fails, cancels and looks back.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openGitHttpServer } from "../kit/git-http-server.ts";
import { commitFiles, runGit } from "../kit/git-server.ts";
import { describeWith, findBuildx } from "../kit/needs.ts";
import { openWorld, threePlatforms, type World } from "./world.ts";

const buildx = findBuildx();
const kiln = resolve(import.meta.dirname, "../../bin/kiln");
const needs = ["root", "runtime", "registry", "bundle", "emulation", "buildx"] as const;

describeWith(needs, "a daemon with docker buildx for a client", () => {
  let world: World;
  let daemon: ChildProcess;
  let log = "";
  let socket: string;

  beforeAll(async () => {
    world = await openWorld();
    socket = join(world.directory, "run/kilnd.sock");
    const program = join(world.directory, "kilnd");
    symlinkSync(kiln, program);
    const env = { ...process.env, KILN_CONFIG: join(world.directory, "kiln.toml") };
    daemon = spawn(program, ["--root", world.root, "--addr", `unix://${socket}`], { env });
    daemon.stderr?.setEncoding("utf8").on("data", (text: string) => {
      log += text;
    });
    const runs = () => log.includes(`running server on ${socket}`);
    for (let waited = 0; !runs() && waited < 15_000; waited += 50) await setTimeout(50);
    if (!runs()) throw new Error(`the daemon does not run: ${log}`);
    expect(client("create", "--name", "k", "--driver", "remote", `unix://${socket}`).status).toBe(
      0,
    );
  });

  afterAll(async () => {
    daemon.kill("SIGKILL");
    await world[Symbol.asyncDispose]();
  });

  function client(...args: readonly string[]) {
    const { directory } = world;
    const env = {
      ...process.env,
      BUILDX_CONFIG: join(directory, "buildx"),
      DOCKER_CONFIG: join(directory, "docker"),
      BUILDX_BUILDER: args[0] === "create" ? "" : "k",
      NO_COLOR: "1",
    };
    const ran = spawnSync(buildx as string, args, { env, encoding: "utf8", timeout: 60_000 });
    return { status: ran.status, text: ran.stdout + ran.stderr };
  }

  const build = (...args: readonly string[]) => client("build", "--progress=plain", ...args);

  it("names its platforms, its version and its rules", () => {
    const { status, text } = client("inspect");
    expect(status).toBe(0);
    expect(text).toMatch(/Status:\s+running/);
    expect(text).toMatch(/Platforms:.*linux\/amd64/);
    expect(text).toContain("GC Policy rule#3");
  });

  it("builds for three platforms from a directory of the client, and pushes one name", async () => {
    const context = world.context({
      Dockerfile: "FROM busybox\nCOPY app.txt /app.txt\nRUN uname -m > /machine\n",
      "app.txt": "application",
    });
    const name = `${world.registry.address}/app:1`;
    const { status, text } = build("--platform", threePlatforms, "-t", name, "--push", context);
    expect(text).toContain("pushing manifest for");
    expect(status).toBe(0);
    const inspected = await world.kiln(["imagetools", "inspect", name]);
    for (const platform of threePlatforms.split(",")) expect(inspected.stdout).toContain(platform);
  });

  it.each(["local", "tar", "oci", "docker"])("sends a result as %s to the client", (type) => {
    const context = world.context({ Dockerfile: "FROM busybox\nRUN echo made > /made\n" });
    const dest = join(world.directory, `out-${type}`);
    const { status } = build("-o", `type=${type},dest=${dest}`, context);
    expect(status).toBe(0);
    if (type === "local") expect(readFileSync(join(dest, "made"), "utf8")).toBe("made\n");
    else expect(statSync(dest).size).toBeGreaterThan(100_000);
    if (type === "local") expect(statSync(join(dest, "bin/busybox")).mode & 0o777).toBe(0o755);
  });

  it("gets secrets from the client, and blots them out", () => {
    const context = world.context({
      Dockerfile:
        "FROM busybox\nRUN --mount=type=secret,id=s sha256sum /run/secrets/s; cat /run/secrets/s\n",
      secret: "hunter2hunter2",
    });
    const { status, text } = build("--secret", `id=s,src=${join(context, "secret")}`, context);
    expect(status).toBe(0);
    expect(text).not.toContain("hunter2");
  });

  it("tells a failed step with the lines of the Dockerfile", () => {
    const context = world.context({ Dockerfile: "FROM busybox\nRUN echo said && exit 7\n" });
    const { status, text } = build(context);
    expect(status).toBe(1);
    expect(text).toContain(">>> RUN echo said && exit 7");
    expect(text).toContain("did not complete successfully: exit code: 7");
  });

  it("tells a mistake in the Dockerfile with its line", () => {
    const { status, text } = build(world.context({ Dockerfile: "FROM busybox\nRUNN x\n" }));
    expect(status).toBe(1);
    expect(text).toContain(">>> RUNN x");
  });

  it("remembers builds with their logs, and forgets them when asked", () => {
    const listed = client("history", "ls");
    expect(listed.text).toContain("Error");
    expect(listed.text).toContain("Completed");
    expect(client("history", "logs").text).toContain("load build definition");
    expect(client("history", "rm", "--all").status).toBe(0);
    expect(client("history", "ls").text.trim().split("\n")).toHaveLength(1);
  });

  it("builds from contexts of other names: a directory, and a layout that was exported before", () => {
    const files = world.context({ Dockerfile: "FROM scratch\nCOPY f /f\n", f: "from elsewhere" });
    const layout = join(world.directory, "layout");
    expect(build("-o", `type=oci,dest=${layout},tar=false`, files).status).toBe(0);
    const context = world.context({
      Dockerfile: "FROM busybox\nCOPY --from=other f /f\nRUN grep elsewhere /f\n",
    });
    expect(build("--build-context", `other=${files}`, context).status).toBe(0);
    expect(build("--build-context", `other=oci-layout://${layout}`, context).status).toBe(0);
  });

  it("builds linked targets, each from its own context", () => {
    const directory = world.context({
      "docker-bake.hcl":
        'target "a" {\n  context = "a"\n}\ntarget "b" {\n  context = "b"\n  contexts = { other = "target:a" }\n}\ngroup "default" {\n  targets = ["a", "b"]\n}\n',
      "a/Dockerfile": "FROM scratch\nCOPY f /f\n",
      "a/f": "of a",
      "b/Dockerfile": "FROM busybox\nCOPY --from=other f /f\nRUN grep 'of a' /f\n",
    });
    const file = join(directory, "docker-bake.hcl");
    const { status, text } = client(
      "bake",
      "--allow=fs.read=*",
      "--progress=plain",
      "-f",
      file,
      "--set",
      `a.context=${join(directory, "a")}`,
      "--set",
      `b.context=${join(directory, "b")}`,
    );
    expect(text).not.toContain("ERROR");
    expect(status).toBe(0);
  });

  it("knows heredocs and keeps cache mounts", () => {
    const context = (text: string) =>
      world.context({
        Dockerfile: `FROM busybox\nRUN --mount=type=cache,target=/c,id=matrix <<END\necho ${text} >> /c/said\ncat /c/said\nEND\n`,
      });
    expect(build(context("first")).status).toBe(0);
    const { status, text } = build(context("second"));
    expect(status).toBe(0);
    expect(text).toMatch(/first[\s\S]*second/);
  });

  it.each(["check", "outline", "targets"])("answers --call=%s", (call) => {
    const context = world.context({ Dockerfile: "ARG A=1\nFROM busybox AS one\nRUN true\n" });
    expect(client("build", `--call=${call}`, context).status).toBe(0);
  });

  it("tells what it made in a metadata file, with attestations in the registry", () => {
    const file = join(world.directory, "metadata.json");
    const name = `${world.registry.address}/attested:1`;
    const context = world.context({ Dockerfile: "FROM busybox\nRUN true\n" });
    const wanted = ["--provenance=mode=max", "--sbom=true", "--metadata-file", file];
    expect(build(...wanted, "-t", name, "--push", context).status).toBe(0);
    const metadata = JSON.parse(readFileSync(file, "utf8"));
    expect(metadata["image.name"]).toBe(name);
    const { status, text } = client("imagetools", "inspect", name);
    expect(status).toBe(0);
    expect(text).toContain(metadata["containerimage.digest"]);
    expect(text).toContain("attestation-manifest");
  });

  it("obeys the source policy of a client", () => {
    const policy = join(
      world.context({
        "policy.json": JSON.stringify({
          rules: [
            { action: "DENY", selector: { identifier: "docker-image://docker.io/library/*" } },
          ],
        }),
      }),
      "policy.json",
    );
    const context = world.context({ Dockerfile: "FROM busybox\nRUN echo denied\n" });
    process.env["EXPERIMENTAL_BUILDKIT_SOURCE_POLICY"] = policy;
    const { status, text } = build(context);
    delete process.env["EXPERIMENTAL_BUILDKIT_SOURCE_POLICY"];
    expect(status).toBe(1);
    expect(text).toContain("source denied by policy");
  });

  /** A client that goes on while others work. */
  function begin(...args: readonly string[]): {
    readonly child: ChildProcess;
    readonly ended: Promise<{ status: number | null; text: string }>;
  } {
    const { directory } = world;
    const env = {
      ...process.env,
      BUILDX_CONFIG: join(directory, "buildx"),
      DOCKER_CONFIG: join(directory, "docker"),
      BUILDX_BUILDER: "k",
      NO_COLOR: "1",
    };
    const child = spawn(buildx as string, ["build", "--progress=plain", ...args], { env });
    let text = "";
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding("utf8").on("data", (more: string) => {
        text += more;
      });
    const ended = new Promise<{ status: number | null; text: string }>((done) =>
      child.once("close", (status) => done({ status, text })),
    );
    return { child, ended };
  }

  it("puts what is said about a result beside the files of its client", () => {
    const context = world.context({ Dockerfile: "FROM scratch\nCOPY a /\n", a: "a" });
    const out = join(world.directory, "attested");
    const attest = ["--attest", "type=provenance,mode=max"];
    const { status, text } = build(...attest, "-o", `type=local,dest=${out}`, context);
    expect(text).not.toContain("ERROR");
    expect(status).toBe(0);
    expect(readFileSync(join(out, "a"), "utf8")).toBe("a");
    const said = JSON.parse(readFileSync(join(out, "provenance.json"), "utf8"));
    expect(said.subject).toMatchObject([{ name: "a" }]);
  });

  it("builds from repositories, with the client's token where they ask for one", async () => {
    const served = join(world.directory, "served");
    const repository = join(served, "r.git");
    mkdirSync(repository, { recursive: true });
    runGit(repository, "init", "-q", "-b", "main");
    commitFiles(repository, { "sub/Dockerfile": "FROM scratch\nCOPY b /\n", "sub/b": "b" }, "one");
    await using open = await openGitHttpServer(served);
    const out = join(world.directory, "from-git");
    const one = await begin("-o", out, `${open.url}/r.git#main:sub`).ended;
    expect(one.text).not.toContain("ERROR");
    expect(readFileSync(join(out, "b"), "utf8")).toBe("b");
    await using closed = await openGitHttpServer(served, `Basic ${btoa("x-access-token:secret")}`);
    const token = join(world.directory, "token");
    writeFileSync(token, "secret\n");
    const secret = ["--secret", `id=GIT_AUTH_TOKEN,src=${token}`];
    const denied = await begin(`${closed.url}/r.git#main:sub`).ended;
    expect(denied.status).not.toBe(0);
    const allowed = await begin(...secret, `${closed.url}/r.git#main:sub`).ended;
    expect(allowed.text).not.toContain("ERROR");
    expect(allowed.status).toBe(0);
    expect(allowed.text).not.toContain("secret");
  });

  it("gives no client's step another's secret, though both run at the same time", async () => {
    const context = world.context({
      Dockerfile: `FROM busybox\nRUN --mount=type=secret,id=s sleep 2; sha256sum /run/secrets/s; echo ${Date.now()}\n`,
      one: "secret of the one",
      two: "secret of the other",
    });
    const sums = ["one", "two"].map((name) =>
      createHash("sha256")
        .update(readFileSync(join(context, name)))
        .digest("hex"),
    );
    const both = ["one", "two"].map((name) =>
      begin("--secret", `id=s,src=${join(context, name)}`, context),
    );
    const outcomes = await Promise.all(both.map(({ ended }) => ended));
    outcomes.forEach(({ status, text }, index) => {
      expect(status).toBe(0);
      expect(text).toContain(sums[index]);
      expect(text).not.toContain(sums[1 - index]);
    });
    const { status } = await begin(context).ended;
    // What is cached is everybody's, as with the reference; what has to run has no secret.
    expect(status).toBe(0);
  });

  it("goes on with a build when another client of the same steps is killed", async () => {
    const context = world.context({
      Dockerfile: `FROM busybox\nRUN sleep 4; echo ${Date.now()} > /made\nRUN true\n`,
    });
    const victims = Array.from({ length: 4 }, () => begin(context));
    const survivor = begin(context);
    await setTimeout(1500);
    for (const { child } of victims) child.kill("SIGKILL");
    const { status, text } = await survivor.ended;
    expect(text).not.toContain("ERROR");
    expect(status).toBe(0);
  });

  it("says what it keeps, and removes it", () => {
    expect(client("du").text).toContain("Total:");
    expect(client("prune", "-f").status).toBe(0);
  });

  it("stops the steps of a client that is interrupted", async () => {
    const context = world.context({ Dockerfile: "FROM busybox\nRUN sleep 4321\n" });
    const { directory } = world;
    const env = {
      ...process.env,
      BUILDX_CONFIG: join(directory, "buildx"),
      DOCKER_CONFIG: join(directory, "docker"),
    };
    const running = spawn(buildx as string, ["build", "--builder", "k", context], { env });
    const sleeping = () => spawnSync("pgrep", ["-f", "^sleep 4321"]).status === 0;
    await expect.poll(sleeping, { timeout: 20_000 }).toBe(true);
    running.kill("SIGINT");
    await expect.poll(sleeping, { timeout: 10_000 }).toBe(false);
  });

  it("builds twice for a client that compares, and names what differs", async () => {
    const env = { BUILDKIT_HOST: `unix://${socket}` };
    const verify = (Dockerfile: string) =>
      world.kiln(["build", "--verify", world.context({ Dockerfile })], { env });
    const same = await verify("FROM busybox\nRUN echo the-same > /same\n");
    expect([same.status, same.status === 0 ? "" : same.stderr]).toEqual([0, ""]);
    const other = await verify("FROM busybox\nRUN cat /proc/sys/kernel/random/uuid > /other\n");
    expect([other.status, other.stderr]).toEqual([1, expect.stringContaining("/other differs")]);
  }, 120_000);

  it("tells failures in the words of BuildKit", () => {
    const lines = (Dockerfile: string, ...more: string[]) =>
      build(...more, world.context({ Dockerfile })).text;
    expect(lines("FROM busybox\nBOGUS\n")).toContain(
      "failed to solve: dockerfile parse error on line 2: unknown instruction: BOGUS",
    );
    expect(lines("FROM scratch\n", "-f", "none")).toContain(
      "failed to solve: failed to read dockerfile: open none: no such file or directory",
    );
    expect(lines("FROM scratch\n", "-o", "type=none")).toContain(
      'failed to solve: exporter "none" could not be found',
    );
    expect(lines("FROM scratch\nCOPY gone /\n")).toMatch(
      /failed to solve: .*failed to calculate checksum of ref .*"\/gone": not found/,
    );
  });

  it("keeps a second daemon off its directory", () => {
    const args = ["serve", "--root", world.root, "--addr", `unix://${dirname(socket)}/other.sock`];
    const { status, stderr } = spawnSync(kiln, args, { encoding: "utf8", timeout: 20_000 });
    expect(status).toBe(1);
    expect(stderr).toContain("could not lock");
  });

  it("ends when it is told to, and leaves no mount and no socket", async () => {
    const ended = new Promise<number | null>((done) => daemon.once("exit", done));
    daemon.kill("SIGTERM");
    expect(await ended).toBe(0);
    expect(readFileSync("/proc/mounts", "utf8")).not.toContain(world.root);
    expect(existsSync(socket)).toBe(false);
  });
});
