// Looking into builds: the state in which a step failed, by commands and by copies, here and on builders behind BuildKit's API.
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { describeWith } from "../kit/needs.ts";
import { dockerEngineHere } from "../kit/peers.ts";
import { openWorld, type World } from "./world.ts";

/** Where builds run, and what `kiln` is told for it. */
const builders = ["embedded", "kiln serve", "dockerd"] as const;

describeWith(["root", "runtime", "registry", "bundle"], "kiln debug build", () => {
  let world: World;
  let daemon: ChildProcess;
  let failing: string;
  let good: string;

  beforeAll(async () => {
    world = await openWorld();
    const from = `FROM ${world.registry.address}/library/busybox\n`;
    failing = world.context({
      Dockerfile: `${from}WORKDIR /work\nENV FOO=bar\nRUN mkdir d && echo state > d/file && ln -s file d/link && exit 3\n`,
    });
    good = world.context({ Dockerfile: `${from}RUN echo good > /state\n` });
    const socket = join(world.directory, "kilnd.sock");
    const root = join(world.directory, "served");
    const kiln = resolve(import.meta.dirname, "../../bin/kiln");
    const env = { ...process.env, KILN_CONFIG: join(world.directory, "kiln.toml") };
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

  describe.each(builders)("on %s", (builder) => {
    const engine = builder === "dockerd" ? dockerEngineHere() : undefined;
    const skipped = builder === "dockerd" && engine === undefined;
    if (skipped) process.stdout.write("skipped: debugging on dockerd: no docker engine here\n");
    const test = it.skipIf(skipped);
    // The peers' engine has the host's network only.
    const flags = builder === "dockerd" ? ["--allow=network.host", "--network=host"] : [];
    const debug = (args: readonly string[], input = "") => {
      const socket = join(world.directory, "kilnd.sock");
      const env = {
        ...(builder === "kiln serve" ? { BUILDKIT_HOST: `unix://${socket}` } : {}),
        ...(engine === undefined ? {} : { DOCKER_HOST: engine, BUILDX_BUILDER: "default" }),
      };
      return world.kiln(["debug", ...args], { input, env });
    };

    test("runs commands where the build failed, with its files, variables and directory", async () => {
      const { status, stdout } = await debug(
        ["build", ...flags, failing],
        "exec cat d/file\nexec sh -c 'echo $FOO in $PWD'\nexit\n",
      );
      expect(stdout).toBe("state\nbar in /work\n");
      expect(status).toBe(1);
    });

    test("goes back to the files from before the step", async () => {
      const { stdout } = await debug(
        ["build", ...flags, failing],
        "rollback --init ls /work\nrollback ls /work\n",
      );
      expect(stdout).toBe("d\n");
    });

    test("runs one command with standard input", async () => {
      const { stdout } = await debug(
        ["--invoke", "sh", "build", ...flags, failing],
        "ls d; exit 9\n",
      );
      expect(stdout).toBe("file\nlink\n");
    });

    test("copies files out", async () => {
      const out = join(world.directory, `copied on ${builder}`);
      const { stderr } = await debug(["build", "--copy", `/work/d=${out}`, ...flags, failing]);
      expect(stderr).toContain(`copied /work/d to ${out}`);
      expect(readFileSync(join(out, "link"), "utf8")).toBe("state\n");
    });

    test("says what is not there to be copied", async () => {
      const { stderr } = await debug(["build", "--copy", "/none", ...flags, failing]);
      expect(stderr).toContain("/none is not in [3/3] RUN");
    });

    test("enters the result where it is asked to, and finishes the build", async () => {
      const enter = ["--on=always", "--invoke=cat /state", "build"];
      const { status, stdout } = await debug([...enter, ...flags, good]);
      expect(stdout).toBe("good\n");
      expect(status).toBe(0);
    });
  });
});
