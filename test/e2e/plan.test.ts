// Before anything runs: what a build would do; before anything is exported: whether its programs suit their platform.
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { PlanReport } from "../../src/api/index.ts";
import { describeWith } from "../kit/needs.ts";
import { openWorld, type World } from "./world.ts";

const host = process.arch === "arm64" ? "arm64" : "amd64";
const other = host === "arm64" ? "amd64" : "arm64";

const dockerfile = `FROM --platform=$BUILDPLATFORM busybox AS tools
RUN echo tool > /tool
FROM --platform=$BUILDPLATFORM busybox AS cross
ARG TARGETARCH
COPY file /file
RUN echo $TARGETARCH > /arch
FROM busybox AS final
RUN uname -m > /machine
COPY --from=cross /arch /arch
COPY --from=tools /tool /tool
`;

describeWith(["root", "runtime", "registry", "bundle", "emulation"], "planning", () => {
  let world: World;
  let context: string;
  beforeAll(async () => {
    world = await openWorld();
    context = world.context({ Dockerfile: dockerfile, file: "1" });
  });
  afterAll(() => world?.[Symbol.asyncDispose]());

  const platforms = `linux/${host},linux/${other}`;
  const plan = async (...args: readonly string[]) => {
    const { stdout, status, stderr } = await world.kiln(["build", "--plan=json", ...args, context]);
    expect([0, 1], stderr).toContain(status);
    return { status, plan: JSON.parse(stdout) as PlanReport };
  };
  const rows = ({ stages }: PlanReport) =>
    stages.map(({ name, targets, way, steps }) => {
      const cached = steps.filter((step) => step.cached).length;
      return `${name} ${targets.length} ${way} ${cached}/${steps.length}`;
    });

  it("tells native, cross, shared and emulated stages apart, and runs nothing", async () => {
    const { status, plan: report } = await plan("--platform", platforms);
    expect(status).toBe(0);
    expect(report.targets).toEqual(platforms.split(","));
    expect(rows(report).toSorted()).toEqual(
      [
        "tools 2 shared 0/2",
        "cross 1 native 0/2",
        "cross 1 cross 0/2",
        "final 1 native 0/3",
        "final 1 emulated 0/4",
      ].toSorted(),
    );
    const { stdout } = await world.kiln(["du", "--format", "json"]);
    expect(stdout).not.toContain("RUN");
  });

  it("knows a shared stage whose base another stage begins with for one target", async () => {
    const example = join(import.meta.dirname, "../../examples/hello");
    const args = ["build", "--plan=json", "--platform", platforms, example];
    const { stdout, stderr } = await world.kiln(args);
    expect(stdout, stderr).not.toBe("");
    const found = rows(JSON.parse(stdout) as PlanReport).filter((row) => row.startsWith("words "));
    expect(found).toEqual(["words 2 shared 0/4"]);
  });

  it("tells what is cached, also where files of the context are the same or not", async () => {
    const built = await world.kiln(["build", "--platform", platforms, context]);
    expect(built.status, built.stderr).toBe(0);
    const { plan: report } = await plan("--platform", platforms);
    expect(report.stages.flatMap(({ steps }) => steps.filter(({ cached }) => !cached))).toEqual([]);
    const changed = world.context({ Dockerfile: dockerfile, file: "2" });
    const { stdout } = await world.kiln(["build", "--plan=json", "--platform", platforms, changed]);
    const left = (JSON.parse(stdout) as PlanReport).stages.flatMap(({ steps }) =>
      steps.filter(({ cached }) => !cached).map(({ name }) => name),
    );
    expect(left.some((name) => name.includes("COPY file"))).toBe(true);
    expect(left.some((name) => name.includes("uname") || name.includes("tool >"))).toBe(false);
  });

  it("names the platforms that an image lacks, all at once, and fails for them", async () => {
    const { status, plan: report } = await plan(
      "--platform",
      "linux/riscv64,linux/s390x,linux/arm/v6",
    );
    expect(status).toBe(1);
    const missing = report.images.filter(({ state }) => state === "missing");
    expect(missing.map(({ platform }) => platform)).toEqual(
      expect.arrayContaining(["linux/riscv64", "linux/s390x"]),
    );
    expect(missing[0]?.offered).toContain("linux/arm64");
  });

  it("is a table for people", async () => {
    const { stdout, status } = await world.kiln([
      "build",
      "--plan",
      "--platform",
      platforms,
      context,
    ]);
    expect(status).toBe(0);
    expect(stdout).toContain("STAGE");
    expect(stdout).toContain("All 12 steps are cached.");
  });

  it("--check-arch names programs of the wrong processor, and nothing is exported", async () => {
    const wrong = world.context({
      Dockerfile:
        "FROM --platform=$BUILDPLATFORM busybox AS build\nFROM scratch\nCOPY --from=build /bin/busybox /app\n",
    });
    const name = `${world.registry.address}/checked:1`;
    const args = ["build", "--platform", platforms, "-t", name, "--push", wrong];
    const failed = await world.kiln([...args, "--check-arch"]);
    expect(failed.status).toBe(1);
    expect(failed.stderr).toContain("ARCHITECTURE_MISMATCH");
    expect(failed.stderr).toContain(`/app is built for ${host}`);
    expect((await world.kiln(["imagetools", "inspect", name])).status).not.toBe(0);
    const warned = await world.kiln([...args, "--check-arch=warn"]);
    expect(warned.status, warned.stderr).toBe(0);
    expect(warned.stderr).toContain(`/app is built for ${host}, not for linux/${other}`);
  });
});
