// `--load` into a docker engine that runs: as many platforms as its store of images can hold, in each packing, under each name.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { describeWith } from "../kit/needs.ts";
import { openWorld, type World } from "./world.ts";

const peers = process.env["KILN_PEERS"] ?? "/tmp/peers";
const environment = {
  ...process.env,
  PATH: `${process.env["PATH"]}${delimiter}${join(peers, "bin")}`,
  DOCKER_HOST: process.env["DOCKER_HOST"] ?? `unix://${join(peers, "run/docker.sock")}`,
};

function docker(...args: readonly string[]): string {
  const options = { env: environment, encoding: "utf8", timeout: 120_000 } as const;
  const { status, stdout, stderr, error } = spawnSync("docker", args, options);
  if (status === 0) return stdout.trim();
  throw new Error(`docker ${args.join(" ")}: ${error?.message ?? stderr.slice(-2000)}`);
}

const engine = existsSync(environment.DOCKER_HOST.replace("unix://", ""));
if (!engine)
  process.stdout.write("skipped: no docker engine runs here, nothing is loaded into one\n");

describeWith(["root", "runtime", "registry", "bundle", "emulation", "apt"], "loading", () => {
  describe.skipIf(!engine)("into docker", () => {
    let world: World;
    let context: string;
    /** Where docker keeps images in containerd's store, it takes indexes. */
    let containerd: boolean;
    const names: string[] = [];
    const named = (tag: string) => {
      const name = `kiln-load-test-${process.pid}:${tag}`;
      names.push(name);
      return name;
    };

    beforeAll(async () => {
      world = await openWorld();
      const Dockerfile =
        'FROM busybox\nARG TARGETARCH\nRUN echo $TARGETARCH > /arch\nCMD ["cat", "/arch"]\n';
      context = world.context({ Dockerfile });
      containerd = docker("info", "--format", "{{json .DriverStatus}}").includes("containerd");
    });
    afterAll(async () => {
      for (const name of names)
        spawnSync("docker", ["rmi", "-f", name], { env: environment, stdio: "ignore" });
      await world?.[Symbol.asyncDispose]();
    });

    const build = (...argv: readonly string[]) =>
      world.kiln(["build", ...argv, context], { env: { DOCKER_HOST: environment.DOCKER_HOST } });
    const run = (name: string, platform: string) =>
      docker("run", "--rm", "--network", "none", "--platform", platform, name);

    it("takes all platforms and attestations, or says what would", async () => {
      const name = named("many");
      const platforms = ["linux/amd64", "linux/arm64", "linux/arm/v7"];
      const argv = ["--platform", platforms.join(","), "--provenance=true", "--load", "-t", name];
      const { status, stderr } = await build(...argv);
      if (!containerd) {
        expect([status, stderr]).toEqual([1, expect.stringContaining("one platform only")]);
        return;
      }
      expect([status, status === 0 ? "" : stderr]).toEqual([0, ""]);
      expect(platforms.map((platform) => run(name, platform))).toEqual(["amd64", "arm64", "arm"]);
    });

    it.each(["gzip", "zstd", "uncompressed", "estargz"])("takes layers as %s", async (packing) => {
      const name = named(packing);
      const output = `type=docker,compression=${packing},force-compression=true`;
      const { status, stderr } = await build("-o", output, "-t", name);
      expect([status, stderr.includes("Warning")]).toEqual([0, false]);
      expect(run(name, "linux/amd64")).toBe("amd64");
    });

    it("takes archives from files, under several names", async () => {
      const [one, two] = [named("file"), named("file-too")];
      const dest = join(world.directory, "image.tar");
      const argv = ["-o", `type=docker,dest=${dest}`, "-t", one, "-t", two];
      expect((await build(...argv)).status).toBe(0);
      expect(docker("load", "-i", dest)).toContain("Loaded image");
      expect([run(one, "linux/amd64"), run(two, "linux/amd64")]).toEqual(["amd64", "amd64"]);
    });
  });
});
