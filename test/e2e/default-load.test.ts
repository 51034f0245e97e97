// Images that nobody directs elsewhere: docker's own builder keeps them, and builders made with `default-load=true` load them into docker.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { join, resolve } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { describeWith, findBuildx } from "../kit/needs.ts";
import { dockerEngineHere, peersDirectory } from "../kit/peers.ts";
import { openWorld, type World } from "./world.ts";

const engine = dockerEngineHere();
if (!engine)
  process.stdout.write("skipped: no docker engine runs here, nothing is loaded into one\n");
const bin = resolve(import.meta.dirname, "../../bin/kiln");

describeWith(["root", "runtime", "registry", "bundle", "buildx"], "loading by default", () => {
  describe.skipIf(!engine)("into docker", () => {
    let world: World;
    let daemon: ChildProcess;
    let context: string;
    let environment: NodeJS.ProcessEnv;
    const names: string[] = [];

    beforeAll(async () => {
      world = await openWorld();
      context = world.context({ Dockerfile: "FROM scratch\nCOPY file /\n", file: "x" });
      environment = {
        ...process.env,
        PATH: `${process.env["PATH"]}:${join(peersDirectory, "bin")}`,
        DOCKER_HOST: engine,
        DOCKER_CONFIG: join(world.directory, "docker"),
        BUILDX_CONFIG: join(world.directory, "buildx"),
        KILN_ROOT: join(world.directory, "client"),
      };
      const address = `unix://${join(world.directory, "daemon.sock")}`;
      daemon = spawn(bin, ["serve", "--root", world.root, "--addr", address]);
      let log = "";
      daemon.stderr?.setEncoding("utf8").on("data", (text: string) => {
        log += text;
      });
      for (let waited = 0; !log.includes("running server") && waited < 30_000; waited += 50)
        await setTimeout(50);
      const loads = ["--driver-opt", "default-load=true"];
      for (const [name, ...more] of [["loads", ...loads], ["keeps"]] as const) {
        const argv = ["create", "--name", name, "--driver", "remote", ...more, address];
        expect(run(findBuildx() ?? "", argv)).toMatchObject({ status: 0 });
      }
    }, 120_000);

    afterAll(async () => {
      for (const name of names) run("docker", ["rmi", "-f", name]);
      daemon?.kill("SIGKILL");
      await world?.[Symbol.asyncDispose]();
    });

    function run(program: string, argv: readonly string[], env: NodeJS.ProcessEnv = {}) {
      const options = {
        env: { ...environment, ...env },
        encoding: "utf8",
        timeout: 90_000,
      } as const;
      const { status, stdout, stderr } = spawnSync(program, argv, options);
      return { status, text: stdout + stderr };
    }

    /** Whether docker has the image after a build that says nothing of where it is to go. */
    function isLoaded(client: string, builder: string, env: NodeJS.ProcessEnv = {}): boolean {
      const name = `kiln-default-load-${process.pid}:${names.length}`;
      names.push(name);
      const built = run(client, ["build", "--builder", builder, "-t", name, context], env);
      expect([built.status, built.status === 0 ? "" : built.text]).toEqual([0, ""]);
      return run("docker", ["image", "inspect", name]).status === 0;
    }

    const off = { BUILDX_NO_DEFAULT_LOAD: "1" };

    it.each([
      ["kiln", bin],
      ["docker buildx", findBuildx() ?? ""],
    ])(
      "with %s",
      (_, client) => {
        expect(isLoaded(client, "default")).toBe(true);
        expect(isLoaded(client, "default", off)).toBe(false);
        expect(isLoaded(client, "loads")).toBe(true);
        expect(isLoaded(client, "loads", off)).toBe(false);
        expect(isLoaded(client, "keeps")).toBe(false);
      },
      300_000,
    );

    it("an output that was named is the only one", () => {
      const name = `kiln-default-load-${process.pid}:none`;
      const argv = ["build", "--builder", "loads", "-t", name, "-o", "type=cacheonly", context];
      expect(run(bin, argv).status).toBe(0);
      expect(run("docker", ["image", "inspect", name]).status).not.toBe(0);
    });
  });
});
