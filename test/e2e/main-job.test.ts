// The main job on real parts: three processors, one name, every image runs; again, changed, and from another directory.
import { cpSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { describeWith } from "../kit/needs.ts";
import { openWorld, threePlatforms, type World } from "./world.ts";

const example = resolve(import.meta.dirname, "../../examples/hello");

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

describeWith(["root", "runtime", "registry", "bundle", "emulation", "apt"], "the main job", () => {
  let world: World;
  let context: string;
  let name: string;

  beforeAll(async () => {
    world = await openWorld();
    context = join(world.directory, "hello");
    cpSync(example, context, { recursive: true });
    name = `${world.registry.address}/hello:multiarch`;
  });
  afterAll(() => world?.[Symbol.asyncDispose]());

  const build = (directory: string, ...more: string[]) =>
    world.kiln([
      "build",
      "--platform",
      threePlatforms,
      "-t",
      name,
      "--push",
      "--progress",
      "plain",
      ...more,
      directory,
    ]);

  const index = async () =>
    JSON.parse((await world.kiln(["imagetools", "inspect", "--raw", name])).stdout) as Index;

  it("builds and pushes one index with an entry for each platform", async () => {
    const built = await build(context);
    expect(built.stderr).toContain("built for linux/arm/v7 on armv7l");
    expect(built.status).toBe(0);
    const { mediaType, manifests } = await index();
    expect(mediaType).toBe("application/vnd.oci.image.index.v1+json");
    expect(manifests.map(({ platform }) => platform)).toEqual([
      { architecture: "amd64", os: "linux" },
      { architecture: "arm64", os: "linux" },
      { architecture: "arm", os: "linux", variant: "v7" },
    ]);
    // The stage that does not depend on the target ran once.
    expect(built.stderr.match(/RUN tr .*shout\.txt$/gm)).toHaveLength(1);
  });

  it("runs each platform's image by digest", async () => {
    for (const { digest, platform } of (await index()).manifests) {
      const ran = await world.kiln(["run", `${world.registry.address}/hello@${digest}`, "you"]);
      const machine = { amd64: "x86_64", arm64: "aarch64", arm: "armv7l" }[platform.architecture];
      expect(ran.stdout).toContain("HELLO FROM KILN, you!");
      expect(ran.stdout).toContain(`run on ${machine}.`);
      expect(ran.status).toBe(0);
    }
  });

  it("runs nothing when nothing has changed, and gives the same digest", async () => {
    const before = await index();
    const built = await build(context);
    expect(built.status).toBe(0);
    expect(built.stderr).not.toMatch(/^#\d+ \d+\.\d+ /m);
    expect(await index()).toEqual(before);
  });

  it("gives the same digest from another directory, another store and without the cache", async () => {
    const before = await index();
    const copy = join(world.directory, "elsewhere");
    cpSync(example, copy, { recursive: true });
    const built = await build(copy, "--root", join(world.directory, "other-root"), "--no-cache");
    expect(built.status).toBe(0);
    expect(await index()).toEqual(before);
  });

  it("runs only what depends on a changed file", async () => {
    const before = await index();
    writeFileSync(join(context, "greeting.txt"), "hello from somebody else\n");
    const built = await build(context);
    expect(built.status).toBe(0);
    expect(built.stderr).not.toMatch(/^#\d+ [\d.]+ built for linux/m);
    expect(await index()).not.toEqual(before);
  });

  it("honours SOURCE_DATE_EPOCH", async () => {
    const built = await world.kiln(
      ["build", "-t", `${world.registry.address}/dated`, "--push", context],
      {
        env: { SOURCE_DATE_EPOCH: "1700000000" },
      },
    );
    expect(built.status).toBe(0);
    const raw = await world.kiln([
      "imagetools",
      "inspect",
      "--raw",
      `${world.registry.address}/dated`,
    ]);
    const { config } = JSON.parse(raw.stdout) as { config: { digest: string } };
    const blob = await fetch(`http://${world.registry.address}/v2/dated/blobs/${config.digest}`);
    expect(await blob.json()).toMatchObject({ created: "2023-11-14T22:13:20Z" });
  });
});
