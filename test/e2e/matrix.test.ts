// The same flows in both directions, with real parts: docker buildx on Kiln's daemon, and Kiln on docker's BuildKit.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, normalize, resolve } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { describeWith, findBuildx } from "../kit/needs.ts";
import { dockerEngineHere } from "../kit/peers.ts";
import { type Outcome, openWorld, type World } from "./world.ts";

const kiln = resolve(import.meta.dirname, "../../bin/kiln");
const buildx = findBuildx();
const engine = dockerEngineHere();

interface Direction {
  readonly name: string;
  /** Why not here. */
  readonly missing: string | undefined;
  /** Docker's engine of the tests has the host's network only. */
  readonly steps: readonly string[];
  readonly run: (
    args: readonly string[],
    options?: { readonly started?: (child: ChildProcess) => void },
  ) => Promise<Outcome>;
}

describeWith(["root", "runtime", "registry", "bundle"], "the flows of builds", () => {
  let world: World;
  let daemon: ChildProcess;
  let files: Server;
  const cells = new Map<string, string>();
  const home = mkdtempSync(join(tmpdir(), "matrix-"));
  const agent = join(home, "agent.sock");

  const directions: readonly Direction[] = [
    {
      name: "docker buildx on kiln serve",
      missing: buildx === undefined ? "docker-buildx" : undefined,
      steps: [],
      run: (args, options = {}) =>
        command(buildx as string, args, { BUILDX_BUILDER: "k", ...options }),
    },
    {
      name: "kiln on dockerd's BuildKit",
      missing: engine === undefined ? "a docker engine" : undefined,
      steps: ["--allow=network.host", "--network=host"],
      run: (args, options = {}) =>
        world.kiln(args, {
          env: {
            BUILDX_BUILDER: "default",
            DOCKER_HOST: engine ?? "",
            BUILDX_CONFIG: join(home, "buildx"),
          },
          ...options,
        }),
    },
  ];

  beforeAll(async () => {
    world = await openWorld();
    const socket = join(world.directory, "kilnd.sock");
    const env = { ...process.env, KILN_CONFIG: join(world.directory, "kiln.toml") };
    const args = ["--root", join(world.directory, "served"), "serve", "--addr", `unix://${socket}`];
    daemon = spawn(kiln, args, { env });
    let log = "";
    daemon.stderr?.setEncoding("utf8").on("data", (text: string) => {
      log += text;
    });
    for (let waited = 0; !log.includes("running server") && waited < 15_000; waited += 50)
      await setTimeout(50);
    if (buildx) {
      const create = ["create", "--name", "k", "--driver", "remote", `unix://${socket}`];
      expect((await command(buildx, create)).status).toBe(0);
    }
    files = await serveFiles(home);
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(home, "key")]);
    const started = execFileSync("ssh-agent", ["-a", agent], { encoding: "utf8" });
    agentPid = Number(/SSH_AGENT_PID=(\d+)/.exec(started)?.[1]);
    const own = { ...process.env, SSH_AUTH_SOCK: agent };
    execFileSync("ssh-add", ["-q", join(home, "key")], { env: own, stdio: "pipe" });
  });
  let agentPid = 0;

  afterAll(async () => {
    const flows = [...new Set([...cells.keys()].map((key) => key.split("\n")[1] ?? ""))];
    const rows = flows.map(
      (flow) =>
        `| ${[flow, ...directions.map(({ name }) => cells.get(`${name}\n${flow}`) ?? "?")].join(" | ")} |`,
    );
    const head = `| | ${directions.map(({ name }) => name).join(" | ")} |\n| --- |${" --- |".repeat(directions.length)}`;
    process.stdout.write(`${head}\n${rows.join("\n")}\n`);
    daemon.kill("SIGKILL");
    files.close();
    if (agentPid > 0) process.kill(agentPid);
    await world[Symbol.asyncDispose]();
    rmSync(home, { recursive: true, force: true });
  });

  function command(
    program: string,
    args: readonly string[],
    {
      started,
      ...env
    }: { readonly started?: (child: ChildProcess) => void } & Readonly<
      Record<string, unknown>
    > = {},
  ): Promise<Outcome> {
    const begin = performance.now();
    return new Promise((resolvePromise, reject) => {
      const child = spawn(program, args, {
        env: {
          ...process.env,
          BUILDX_CONFIG: join(home, "buildx"),
          DOCKER_CONFIG: join(home, "docker"),
          NO_COLOR: "1",
          ...(env as Record<string, string>),
        },
        stdio: ["ignore", "pipe", "pipe"],
        timeout: 120_000,
      });
      const said = { stdout: "", stderr: "" };
      for (const stream of ["stdout", "stderr"] as const)
        child[stream].setEncoding("utf8").on("data", (text: string) => {
          said[stream] += text;
        });
      child.once("error", reject);
      child.once("close", (status, signal) =>
        resolvePromise({ status, signal, ...said, seconds: (performance.now() - begin) / 1000 }),
      );
      started?.(child);
    });
  }

  describe.each(directions)("$name", ({ name, missing, steps, run }) => {
    if (missing !== undefined) process.stdout.write(`skipped: ${name}: missing here: ${missing}\n`);
    const flow = (what: string, test: () => Promise<void>) => {
      cells.set(`${name}\n${what}`, missing === undefined ? "no" : `skipped: no ${missing}`);
      it.skipIf(missing !== undefined)(what, async () => {
        await test();
        cells.set(`${name}\n${what}`, "yes");
      });
    };
    const good = async (...args: readonly string[]): Promise<string> => {
      const { status, stdout, stderr } = await run(args);
      if (status !== 0) throw new Error(`${args.join(" ")}: ${stderr.slice(-2000)}`);
      return stdout + stderr;
    };
    const build = (...args: readonly string[]) =>
      good("build", "--progress=plain", ...steps, ...args);
    const from = () => `FROM ${world.registry.address}/library/busybox\n`;
    const context = (dockerfile: string, more: Readonly<Record<string, string>> = {}) =>
      world.context({ Dockerfile: from() + dockerfile, ...more });
    const out = () => mkdtempSync(join(world.directory, "out-"));
    const image = () => `${world.registry.address}/matrix:${randomUUID()}`;

    /** Others may build there too: the record is named by the build. */
    const recordOf = async (...args: readonly string[]) => {
      const file = join(out(), "metadata.json");
      await build("--metadata-file", file, ...args);
      const ref = JSON.parse(readFileSync(file, "utf8"))["buildx.build.ref"].split("/").at(-1);
      return JSON.parse((await run(["history", "inspect", "--format", "json", ref])).stdout);
    };

    flow("local and tar output", async () => {
      const directory = out();
      const one = context("COPY a /a\n", { a: "A" });
      await build("-o", directory, one);
      expect(readFileSync(join(directory, "a"), "utf8")).toBe("A");
      await build("-o", `type=tar,dest=${directory}/x.tar`, one);
      expect(statSync(join(directory, "x.tar")).size).toBeGreaterThan(1000);
    });

    flow("secret, agent and cache mount", async () => {
      const directory = out();
      const secret = join(home, "secret");
      writeFileSync(secret, "hidden");
      const id = randomUUID();
      const lines = async (mark: string, ...more: readonly string[]) => {
        const one = context(
          "RUN --mount=type=ssh test -S $SSH_AUTH_SOCK\nRUN --mount=type=secret,id=s wc -c < /run/secrets/s > /size\n" +
            `RUN --mount=type=cache,id=${id},target=/c echo x >> /c/x && wc -l < /c/x > /lines # ${mark}\n`,
        );
        const lend = ["--ssh", `default=${agent}`, "--secret", `id=s,src=${secret}`];
        await build(...lend, ...more, "-o", directory, one);
        expect(readFileSync(join(directory, "size"), "utf8")).toBe("6\n");
        return Number(readFileSync(join(directory, "lines"), "utf8"));
      };
      expect(await lines("first")).toBe(1);
      expect(await lines("second")).toBe(2);
      // Who ignores the cache begins with empty ones.
      expect(await lines("second", "--no-cache")).toBe(1);
    });

    flow("heredoc", async () => {
      const directory = out();
      await build("-o", directory, context("RUN <<E\necho one > /x\necho two >> /x\nE\n"));
      expect(readFileSync(join(directory, "x"), "utf8")).toBe("one\ntwo\n");
    });

    flow("git context", async () => {
      const repository = join(home, `repository-${name.length}`);
      mkdirSync(repository);
      writeFileSync(join(repository, "Dockerfile"), `${from()}COPY a /a\n`);
      writeFileSync(join(repository, "a"), "from git");
      const git = (...args: readonly string[]) =>
        execFileSync("git", ["-c", "user.name=n", "-c", "user.email=e@x.test", ...args], {
          cwd: repository,
          stdio: "pipe",
        });
      git("init", "-q", "-b", "main");
      git("add", ".");
      git("commit", "-q", "-m", "first");
      git("update-server-info");
      const { port } = files.address() as AddressInfo;
      const directory = out();
      const url = `http://127.0.0.1:${port}/repository-${name.length}/.git#main`;
      await build("-o", directory, url);
      expect(readFileSync(join(directory, "a"), "utf8")).toBe("from git");
    });

    flow("named context", async () => {
      const directory = out();
      const other = world.context({ b: "B" });
      const args = ["--build-context", `other=${other}`, "-o", directory];
      await build(...args, context("COPY --from=other b /b\n"));
      expect(readFileSync(join(directory, "b"), "utf8")).toBe("B");
    });

    flow("targets of bake, linked and alone, each with its own context", async () => {
      const directory = mkdtempSync(join(home, "bake-"));
      const past = new Date("2026-01-01T00:00:00Z");
      // Equal in all but what they hold: neither may be taken for the other.
      for (const [one, dockerfile] of [
        ["a", "FROM scratch\nCOPY f /below\n"],
        ["b", "FROM base\nCOPY f /above\n"],
      ] as const) {
        mkdirSync(join(directory, one));
        writeFileSync(join(directory, one, "Dockerfile"), dockerfile);
        writeFileSync(join(directory, one, "f"), `of ${one}`);
        utimesSync(join(directory, one, "f"), past, past);
      }
      const targets = {
        base: { context: join(directory, "a") },
        app: { context: join(directory, "b"), contexts: { base: "target:base" } },
        alone: {
          context: join(directory, "b"),
          "dockerfile-inline": "FROM scratch\nCOPY f /alone\n",
        },
      };
      const file = join(directory, "docker-bake.json");
      writeFileSync(file, JSON.stringify({ target: targets }));
      const output = out();
      const allowed = ["--allow=fs.read=*", "--allow=fs.write=*"];
      await good(
        "bake",
        ...allowed,
        "-f",
        file,
        "--set",
        `*.output=type=local,dest=${output}`,
        "app",
        "alone",
      );
      expect(readFileSync(join(output, "alone"), "utf8")).toBe("of b");
      expect(readFileSync(join(output, "below"), "utf8")).toBe("of a");
      expect(readFileSync(join(output, "above"), "utf8")).toBe("of b");
    });

    flow("--call", async () => {
      const one = context("ARG V=1\nRUN true\n");
      expect(await good("build", "--call=outline", one)).toContain("V");
      expect(await good("build", "--call=targets,format=json", one)).toContain('"targets"');
      const bad = await run(["build", "--call=check", context("maintainer me\n")]);
      expect(bad.stdout + bad.stderr).toContain("MaintainerDeprecated");
      expect(bad.status).toBe(1);
    });

    flow("push, metadata file, imagetools", async () => {
      const file = join(out(), "metadata.json");
      const tag = image();
      await build("-t", tag, "--push", "--metadata-file", file, context("RUN echo x > /x\n"));
      const metadata = JSON.parse(readFileSync(file, "utf8"));
      expect(metadata["image.name"]).toBe(tag);
      expect(metadata["buildx.build.ref"]).toMatch(/^[\w.]+\/[\w.]+\/[a-z0-9]{25}$/);
      const digest = metadata["containerimage.digest"];
      expect(metadata["containerimage.descriptor"].digest).toBe(digest);
      const inspect = ["imagetools", "inspect", "--format", "{{json .Manifest}}"];
      expect(JSON.parse((await run([...inspect, tag])).stdout).digest).toBe(digest);
      const copy = image();
      await good("imagetools", "create", "-t", copy, tag);
      expect((await run([...inspect, copy])).stdout).toContain("sha256:");
    });

    flow("failing step with its excerpt", async () => {
      const { status, stderr } = await run([
        "build",
        "--progress=plain",
        ...steps,
        context("RUN echo said && exit 7\n"),
      ]);
      expect(status).toBe(1);
      expect(stderr).toContain("exit code: 7");
      expect(stderr).toMatch(/2 \| >>> RUN echo said && exit 7/);
    });

    flow("cancel", async () => {
      const one = context(`RUN echo begun-$((40+2)) && sleep 300 # ${randomUUID()}\n`);
      const ended = run(["build", "--progress=plain", ...steps, one], {
        started: (child) => {
          let said = "";
          child.stderr?.on("data", (text) => {
            said += text;
            if (said.includes("begun-42")) child.kill("SIGINT");
          });
        },
      });
      const { status, seconds } = await ended;
      expect(status).not.toBe(0);
      expect(seconds).toBeLessThan(60);
    });

    flow("history: ls, inspect, logs, attachment", async () => {
      const mark = `mark-${randomUUID()}`;
      const one = context(`ARG V\nRUN echo ${mark}\n`);
      const record = await recordOf("--build-arg", "V=3", one);
      expect(await good("history", "ls")).toContain(one.split("/").at(-1));
      expect(record.Status).toBe("completed");
      expect(record.BuildArgs).toEqual([{ Name: "V", Value: "3" }]);
      expect(record.Dockerfile).toBe("Dockerfile");
      expect(await good("history", "logs", record.Ref)).toContain(mark);
      const provenance = ["history", "inspect", "attachment", "--type", "provenance", record.Ref];
      expect(JSON.parse((await run(provenance)).stdout)).toBeTypeOf("object");
    });

    flow("history: where a build came from", async () => {
      const one = world.context({ "sub/other.Dockerfile": `${from()}COPY a /a\n`, a: "1" });
      const record = await recordOf("-f", join(one, "sub/other.Dockerfile"), one);
      expect(record.Name).toBe(`${one.split("/").at(-1)}/sub/other.Dockerfile`);
      expect(record.Dockerfile).toBe("sub/other.Dockerfile");
    });

    flow("history: export, rm", async () => {
      const { Ref: ref } = await recordOf(context(`RUN echo ${randomUUID()}\n`));
      const file = join(out(), "one.dockerbuild");
      await good("history", "export", "-o", file, ref);
      expect([...readFileSync(file).subarray(0, 2)]).toEqual([0x1f, 0x8b]);
      const imported = await world.kiln(["history", "import", "-f", file]);
      expect([imported.status, imported.stderr.slice(0, 500)]).toEqual([0, ""]);
      await good("history", "rm", ref);
      expect((await run(["history", "inspect", ref])).status).toBe(1);
    });

    flow("du", async () => {
      await build(context("RUN --mount=type=cache,target=/c touch /c/x\n"));
      const { stdout } = await run(["du"]);
      expect(stdout).toMatch(/^ID +RECLAIMABLE +SIZE +LAST ACCESSED/);
      expect(stdout).toMatch(/\nTotal:\t+\d/);
      const verbose = await good("du", "--verbose", "--filter", "type=exec.cachemount");
      expect(verbose).toMatch(/Created at: +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? \+0000 UTC/);
      expect(verbose).toMatch(/Type: +exec\.cachemount/);
      expect(verbose).not.toMatch(/Type: +regular/);
      const rows = await run(["du", "--format", "{{.ID}} {{.Type}}"]);
      expect(rows.stdout).toMatch(/^\S+ exec\.cachemount$/m);
    });

    flow("prune with filters and limits", async () => {
      await build(context("RUN --mount=type=cache,target=/c,id=m touch /c/x\n"));
      await good("prune", "--force", "--filter", "type=exec.cachemount");
      const left = await run(["du", "--filter", "type=exec.cachemount", "--format", "{{.ID}}"]);
      expect(left.stdout.trim()).toBe("");
      await good("prune", "--force", "--filter", "until=24h", "--keep-storage", "100GB");
      const sizes = ["--reserved-space=1GB", "--max-used-space=900GB", "--min-free-space=1MB"];
      expect(await good("prune", "--force", ...sizes)).toMatch(/Total:\s+0B/);
    });
  });
});

/** The files below a directory, as a plain server has them. */
function serveFiles(directory: string): Promise<Server> {
  const server = createServer((request, response) => {
    const path = join(directory, normalize(new URL(request.url ?? "/", "http://x").pathname));
    if (existsSync(path) && statSync(path).isFile()) response.end(readFileSync(path));
    else response.writeHead(404).end();
  });
  return new Promise((done) => server.listen(0, "127.0.0.1", () => done(server)));
}
