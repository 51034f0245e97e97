// Disk usage on real stores: every byte is told of, what is pruned is gone, and builds go on whatever was pruned.
import { execFileSync } from "node:child_process";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { describeWith } from "../kit/needs.ts";
import { openWorld, type World } from "./world.ts";

interface UsageLine {
  readonly ID: string;
  readonly Size: number;
  readonly Type: string;
  readonly Reclaimable: boolean;
  readonly Description: string;
}

const dockerfile = `FROM busybox
WORKDIR /app
COPY . .
RUN --mount=type=cache,target=/cache dd if=/dev/zero of=/cache/big bs=1024 count=2000 2>/dev/null
RUN head -c 3000000 /dev/urandom > big
RUN echo last > last
`;

describeWith(["root", "runtime", "registry", "bundle"], "disk usage", () => {
  let world: World;
  let context: string;
  beforeAll(async () => {
    world = await openWorld();
    context = world.context({ Dockerfile: dockerfile, file: "1" });
  });
  afterAll(() => world?.[Symbol.asyncDispose]());

  const kiln = async (...args: readonly string[]) => {
    const outcome = await world.kiln(args);
    expect(outcome.status, outcome.stderr).toBe(0);
    return outcome;
  };
  const build = () => kiln("build", "--progress", "plain", "-t", "usage/app:1", context);
  const cached = async () => (await build()).stderr.match(/CACHED/g)?.length ?? 0;
  const onDisk = () =>
    Number(
      execFileSync("du", ["-s", "--block-size=1", world.root], { encoding: "utf8" }).split("\t")[0],
    );
  const usage = async (): Promise<readonly UsageLine[]> =>
    (await kiln("du", "--format", "json")).stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
  const total = (lines: readonly UsageLine[]) => lines.reduce((sum, { Size }) => sum + Size, 0);

  it("adds up to what du says", async () => {
    await build();
    await usage();
    const lines = await usage();
    expect(Math.abs(total(lines) - onDisk()) / onDisk()).toBeLessThan(0.02);
    const types = new Set(lines.map(({ Type }) => Type));
    expect(types).toContain("regular");
    expect(types).toContain("exec.cachemount");
    expect(lines.map(({ Description }) => Description).join("\n")).toContain(
      "RUN echo last > last",
    );
  });

  it("removes what a filter names, and only that", async () => {
    const before = await usage();
    await kiln("prune", "-f", "--filter", "type=exec.cachemount");
    const after = await usage();
    expect(after.some(({ Type }) => Type === "exec.cachemount")).toBe(false);
    expect(total(before) - total(after)).toBeGreaterThan(2_000_000);
    expect(await cached()).toBeGreaterThanOrEqual(5);
  });

  it("shows what is remembered of builds, which goes only when it is meant", async () => {
    const remembered = async () => (await usage()).filter(({ Type }) => Type === "history");
    const before = await remembered();
    expect(before.map(({ Description }) => Description)).toContain(
      "how steps were when they ran, for --explain",
    );
    expect(before.filter(({ Description }) => /^record and logs/.test(Description)).length).toBe(3);
    await kiln("prune", "-f", "--filter", "type=history");
    expect(await remembered()).toHaveLength(before.length);
    await kiln("prune", "-af", "--filter", "type=history");
    expect(await remembered()).toEqual([]);
    expect(readdirSync(join(world.root, "history"))).toEqual([]);
    expect(await cached()).toBeGreaterThanOrEqual(5);
  });

  it("keeps within a limit, the latest used last", async () => {
    await kiln("prune", "-f", "--max-used-space", "100MB");
    expect(await cached()).toBeGreaterThanOrEqual(5);
    const outcome = await kiln("prune", "-af", "--max-used-space", "1MB");
    expect(outcome.stdout).toContain("Total:");
    expect(onDisk()).toBeLessThan(1_100_000);
  });

  it("empties the store, and builds go on", async () => {
    await build();
    await kiln("prune", "-af");
    // What explanations live on goes by name only.
    const left = (await usage()).filter(({ Reclaimable }) => Reclaimable);
    expect(left.map(({ Description }) => Description)).toEqual([
      "how steps were when they ran, for --explain",
    ]);
    expect(onDisk()).toBeLessThan(500_000);
    for (const folder of ["content/blobs/sha256", "snapshots/layers", "snapshots/active", "images"])
      expect(readdirSync(join(world.root, folder)), folder).toEqual([]);
    await build();
    expect(await cached()).toBeGreaterThanOrEqual(5);
  });

  it("does not harm builds that run at the same time", async () => {
    for (let round = 0; round < 5; round++) {
      writeFileSync(join(context, "file"), `${round}`);
      let over = false;
      const building = build().finally(() => {
        over = true;
      });
      do await kiln("prune", "-af");
      while (!over);
      await building;
    }
  });

  it("obeys the rules of the configuration after builds", async () => {
    const config = join(world.directory, "small.toml");
    writeFileSync(
      config,
      `[registry."docker.io"]\nmirrors = ["${world.registry.address}"]\n[worker.oci]\nmaxUsedSpace = "1MB"\nreservedSpace = 0\nminFreeSpace = 0\n`,
    );
    const outcome = await world.kiln(["--config", config, "build", "--progress", "plain", context]);
    expect(outcome.status, outcome.stderr).toBe(0);
    expect(onDisk()).toBeLessThan(1_100_000);
  });
});
