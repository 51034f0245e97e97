// The image tools on a real registry, through the built command: join, inspect, copy, run, the long way, archives.
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type RunningRegistry, startRegistry } from "../../scripts/fixtures/registry.ts";
import { describeWith } from "../kit/needs.ts";
import { openWorld, type World } from "./world.ts";

interface Index {
  readonly mediaType: string;
  readonly manifests: readonly {
    readonly digest: string;
    readonly platform: {
      readonly os: string;
      readonly architecture: string;
      readonly variant?: string;
    };
  }[];
}

describeWith(["root", "runtime", "registry", "bundle", "emulation", "apt"], "image tools", () => {
  let world: World;
  let other: RunningRegistry;
  let name: string;
  const platforms = ["linux/amd64", "linux/arm64", "linux/arm/v7"];
  const tagOf = (platform: string) => platform.replaceAll("/", "-");

  beforeAll(async () => {
    world = await openWorld();
    mkdirSync(join(world.directory, "other"));
    other = await startRegistry({ directory: join(world.directory, "other") });
    name = `${world.registry.address}/tools`;
    const context = world.context({
      Dockerfile: "FROM busybox\nARG TARGETARCH\nRUN echo $TARGETARCH > /arch\nCMD cat /arch\n",
    });
    for (const platform of platforms)
      await done(
        "build",
        "--platform",
        platform,
        "-t",
        `${name}:${tagOf(platform)}`,
        "--push",
        context,
      );
  });
  afterAll(async () => {
    await other?.[Symbol.asyncDispose]();
    await world?.[Symbol.asyncDispose]();
  });

  async function done(...argv: string[]): Promise<string> {
    const { status, stdout, stderr } = await world.kiln(argv);
    expect([status, status === 0 ? "" : stderr]).toEqual([0, ""]);
    return stdout;
  }
  const raw = (reference: string) => done("imagetools", "inspect", "--raw", reference);
  const index = async (reference: string) => JSON.parse(await raw(reference)) as Index;
  const wanted = [
    { architecture: "amd64", os: "linux" },
    { architecture: "arm64", os: "linux" },
    { architecture: "arm", os: "linux", variant: "v7" },
  ];

  it("joins images of three processors under one name", async () => {
    await done(
      "imagetools",
      "create",
      "-t",
      `${name}:joined`,
      ...platforms.map((platform) => `${name}:${tagOf(platform)}`),
    );
    expect((await index(`${name}:joined`)).manifests.map(({ platform }) => platform)).toEqual(
      wanted,
    );
    const format =
      '{{range $platform, $image := .Image}}{{$platform}} {{join $image.Config.Cmd " "}};{{end}}';
    expect(await done("imagetools", "inspect", "--format", format, `${name}:joined`)).toBe(
      "linux/amd64 /bin/sh -c cat /arch;linux/arm/v7 /bin/sh -c cat /arch;linux/arm64 /bin/sh -c cat /arch;",
    );
  });

  it("runs each of them", async () => {
    for (const [platform, architecture] of [
      ["linux/amd64", "amd64"],
      ["linux/arm64", "arm64"],
      ["linux/arm/v7", "arm"],
    ] as const)
      expect(await done("run", "--platform", platform, `${name}:joined`)).toBe(`${architecture}\n`);
  });

  it("copies to another registry and to a layout and back, the same bytes", async () => {
    const layout = `oci-layout://${join(world.directory, "layout")}`;
    const before = await raw(`${name}:joined`);
    await done("copy", `${name}:joined`, `${other.address}/mirror/tools`);
    expect(await raw(`${other.address}/mirror/tools:joined`)).toBe(before);
    await done("copy", `${other.address}/mirror/tools:joined`, `${layout}:1`);
    await done("imagetools", "create", "-t", `${other.address}/again:1`, `${layout}:1`);
    expect(await raw(`${other.address}/again:1`)).toBe(before);
    expect(await done("run", `${other.address}/again:1`)).toBe("amd64\n");
  });

  it("does it the long way, as docker manifest does", async () => {
    const list = `${world.registry.address}/long:1`;
    const images = platforms.map((platform) => `${name}:${tagOf(platform)}`);
    expect(await done("manifest", "create", list, ...images)).toBe(
      `Created manifest list ${list}\n`,
    );
    await done(
      "manifest",
      "annotate",
      list,
      `${name}:linux-arm-v7`,
      "--os=linux",
      "--arch=arm",
      "--variant=v7",
    );
    const printed = await done("manifest", "push", "--purge", list);
    const digest = printed.trim().split("\n").at(-1);
    expect(await done("imagetools", "inspect", "--format", "{{.Manifest.Digest}}", list)).toBe(
      digest,
    );
    const { manifests } = await index(list);
    expect(new Set(manifests.map(({ platform }) => platform.architecture))).toEqual(
      new Set(["amd64", "arm64", "arm"]),
    );
    expect(JSON.parse(await done("manifest", "inspect", list))).toMatchObject({ schemaVersion: 2 });
    expect(await done("run", "--platform", "linux/arm64", list)).toBe("arm64\n");
  });

  it("runs programs with files, variables, users and limits of one's own", async () => {
    const files = world.context({ f: "one\n" });
    const image = `${name}:linux-amd64`;
    const script = "cat f; echo $X; id -u; pwd; cat; echo two > new";
    const flags = ["-i", "-v", `${files}:/data`, "-w", "/data", "-u", "7:8", "-e", "X=y"];
    execFileSync("chmod", ["777", files]);
    const { stdout, status } = await world.kiln(["run", ...flags, image, "sh", "-c", script], {
      input: "typed\n",
    });
    expect([status, stdout]).toEqual([0, "one\ny\n7\n/data\ntyped\n"]);
    expect(readFileSync(join(files, "new"), "utf8")).toBe("two\n");
    const readonly = ["--mount", `type=bind,src=${files}/f,dst=/f,readonly`];
    const refused = await world.kiln(["run", ...readonly, image, "sh", "-c", "echo x > /f"]);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain("Read-only file system");
    // Without -i there is no input, as with docker.
    expect((await world.kiln(["run", image, "cat"], { input: "typed" })).stdout).toBe("");
    expect((await world.kiln(["run", image, "no-such-program"])).status).toBe(127);
    const missing = await world.kiln(["run", "--mount", "type=bind,src=none,dst=/m", image]);
    expect(missing.stderr).toContain("there is no such file or directory");
  });

  it("saves and loads images of the local store under chosen names", async () => {
    const context = world.context({ Dockerfile: "FROM busybox\nCMD echo local\n" });
    await done("build", "-t", "local/app:1", context);
    expect(await done("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "local/app")).toBe(
      "local/app:1\n",
    );
    const file = join(world.directory, "app.tar");
    await done("image", "save", "-o", file, "local/app:1");
    expect(readFileSync(file).length).toBeGreaterThan(10_000);
    await done("image", "rm", "local/app:1");
    expect(await done("image", "load", "-i", file, "--tag", "loaded:1")).toBe(
      "Loaded image: docker.io/library/loaded:1\n",
    );
    expect(await done("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "local/app")).toBe("");
    // What was saved is a layout that others read: from there to a registry, and it runs.
    const unpacked = join(world.directory, "unpacked");
    mkdirSync(unpacked);
    execFileSync("tar", ["-xf", file, "-C", unpacked]);
    await done("copy", `oci-layout://${unpacked}:1`, `${world.registry.address}/loaded:1`);
    expect(await done("run", `${world.registry.address}/loaded:1`)).toBe("local\n");
  });
});
