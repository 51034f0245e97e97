// Layers of base images go from registry to registry: what nobody looks into is neither downloaded nor unpacked.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { describeWith } from "../kit/needs.ts";
import { startRegistry, type TestRegistry } from "../kit/registry.ts";
import { type HostileWorld, openHostileWorld } from "./hostile-world.ts";

describeWith(["root", "runtime", "bundle", "busybox"], "base layers", () => {
  let world: HostileWorld;
  let other: TestRegistry;
  let base: string;
  let layers: readonly string[];
  beforeAll(async () => {
    world = await openHostileWorld();
    other = await startRegistry();
    base = world.image([{ path: "big", data: new Uint8Array(1 << 20).fill(1) }]);
    layers = layersOf(world.registry, repositoryOf(base));
  });
  afterAll(async () => {
    await other?.[Symbol.asyncDispose]();
    await world?.[Symbol.asyncDispose]();
  });

  const repositoryOf = (name: string) => name.slice(world.registry.host.length + 1, -2);

  function layersOf(registry: TestRegistry, repository: string): readonly string[] {
    const found = registry.store.manifest(repository, "1");
    const { layers: list } = JSON.parse(new TextDecoder().decode(found?.data)) as {
      layers: { digest: string }[];
    };
    return list.map(({ digest }) => digest);
  }

  async function push(dockerfile: string, name: string): Promise<void> {
    world.registry.forgetRequests();
    other.forgetRequests();
    const { status, output } = await world.build(dockerfile, {}, "-t", name, "--push");
    expect([status, status === 0 ? "" : output]).toEqual([0, ""]);
  }

  const requests = (registry: TestRegistry, method: string) =>
    registry.requests.filter((one) => one.method === method);
  const downloads = (registry: TestRegistry) =>
    requests(registry, "GET").filter(({ path }) => layers.some((digest) => path.endsWith(digest)));

  it("within one registry are mounted: no byte of them moves", async () => {
    await push(`FROM ${base}\nLABEL a=b\n`, `${world.registry.host}/app:1`);
    expect(downloads(world.registry)).toEqual([]);
    const mounts = requests(world.registry, "POST").filter(({ query }) => query.has("mount"));
    expect(mounts.map(({ query }) => query.get("mount")).sort()).toEqual([...layers].sort());
    const sent = world.registry.requests.reduce((sum, { received }) => sum + received, 0);
    expect(sent).toBeLessThan(10_000);
  });

  it("to another registry are passed on once, and not unpacked", async () => {
    await push(`FROM ${base}\nLABEL a=c\n`, `${other.host}/app:1`);
    expect(
      downloads(world.registry)
        .map(({ path }) => path.split("/").at(-1))
        .sort(),
    ).toEqual([...layers].sort());
    expect(layersOf(other, "app")).toEqual(layers);
    const unpacked = join(world.directory, "root/snapshots/layers");
    expect(existsSync(unpacked) ? readdirSync(unpacked) : []).toEqual([]);
  });

  it("are not asked for again by who pushes the same once more", async () => {
    await push(`FROM ${base}\nLABEL a=c\n`, `${other.host}/app:1`);
    expect(downloads(world.registry)).toEqual([]);
    expect(requests(other, "PUT").length).toBeLessThanOrEqual(1);
    expect(other.requests.reduce((sum, { received }) => sum + received, 0)).toBeLessThan(10_000);
  });

  it("are downloaded where a step runs on them, once, and still not sent within the registry", async () => {
    const fresh = world.image([{ path: "big", data: new Uint8Array(1 << 20).fill(2) }]);
    const [, layer = ""] = layersOf(world.registry, repositoryOf(fresh));
    await push(`FROM ${fresh}\nRUN echo made > /made\n`, `${world.registry.host}/ran:1`);
    const asked = requests(world.registry, "GET").filter(({ path }) => path.endsWith(layer));
    expect(asked).toHaveLength(1);
    const sent = world.registry.requests.reduce((sum, { received }) => sum + received, 0);
    expect(sent).toBeLessThan(10_000);
  });
});
