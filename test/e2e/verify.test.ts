// `kiln build --verify` through the built command: what is the same twice passes, what is not is named, and nothing is left.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { describeWith } from "../kit/needs.ts";
import { openWorld, type World } from "./world.ts";

describeWith(["root", "runtime", "registry", "bundle", "apt"], "builds that are verified", () => {
  let world: World;
  beforeAll(async () => {
    world = await openWorld();
  });
  afterAll(() => world?.[Symbol.asyncDispose]());

  /** The store as it was: the second build's own state is gone. */
  const leftovers = () => readdirSync(world.root).filter((name) => name.startsWith("verify-"));

  it("pass where both came out the same, and have their outputs once", async () => {
    const context = world.context({
      Dockerfile: "FROM busybox\nCOPY file /\nRUN sha256sum /file > /sum\n",
      file: "contents",
    });
    const { status, stderr } = await world.kiln(["build", "--verify", "-o", "out", context]);
    expect([status, stderr]).toEqual([0, expect.stringContaining("building again to compare")]);
    expect(existsSync(`${world.directory}/out/sum`)).toBe(true);
    // Every step runs, whatever the first build has left in the store.
    const second = stderr.slice(stderr.indexOf("building again"));
    expect(second).toMatch(/RUN sha256sum/);
    expect(second).not.toContain("CACHED");
    expect(leftovers()).toEqual([]);
  });

  it("name the file that differs", async () => {
    const context = world.context({
      Dockerfile: "FROM busybox\nRUN cat /proc/sys/kernel/random/uuid > /random\n",
    });
    const { status, stderr } = await world.kiln(["build", "--verify", context]);
    expect([status, stderr]).toEqual([
      1,
      expect.stringMatching(/linux\/amd64: \/random differs.*\[NOT_REPRODUCIBLE\]/s),
    ]);
    expect(leftovers()).toEqual([]);
  });

  it("see what an earlier build has left in a cache mount", async () => {
    const Dockerfile =
      "FROM busybox\nARG RUN\nRUN --mount=type=cache,target=/c echo x >> /c/x; cp /c/x /\n";
    const context = world.context({ Dockerfile });
    expect((await world.kiln(["build", "--build-arg", "RUN=1", context])).status).toBe(0);
    const { status, stderr } = await world.kiln([
      "build",
      "--verify",
      "--build-arg",
      "RUN=2",
      context,
    ]);
    expect([status, stderr]).toEqual([1, expect.stringContaining("/x differs")]);
  });

  it("read an archive on standard input twice, and an image that only the store has", async () => {
    const context = world.context({ Dockerfile: "FROM only-here\nCOPY file /\n", file: "f" });
    const base = world.context({ Dockerfile: "FROM busybox\nRUN echo base > /base\n" });
    expect((await world.kiln(["build", "-t", "only-here", base])).status).toBe(0);
    const input = execFileSync("tar", ["-C", context, "-c", "."]);
    // The name is given anew by the first build: the second begins where the first began.
    const argv = ["build", "--verify", "-t", "only-here", "-"];
    const { status, stderr } = await world.kiln(argv, { input });
    expect([status, stderr]).toEqual([0, expect.stringContaining("building again")]);
    expect(leftovers()).toEqual([]);
  });
});
