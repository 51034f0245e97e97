// Looking into builds: the state in which a step failed, by commands, by copies, and for docker's buildx too.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { describeWith } from "../kit/needs.ts";
import { openWorld, type World } from "./world.ts";

describeWith(["root", "runtime", "registry", "bundle"], "kiln debug build", () => {
  let world: World;
  let failing: string;

  beforeAll(async () => {
    world = await openWorld();
    failing = world.context({
      Dockerfile:
        "FROM busybox\nWORKDIR /work\nENV FOO=bar\nRUN mkdir d && echo state > d/file && exit 3\n",
    });
  });

  afterAll(() => world[Symbol.asyncDispose]());

  it("runs commands where the build failed, with its files, variables and directory", async () => {
    const { status, stdout } = await world.kiln(["debug", "build", failing], {
      input: "exec cat d/file\nexec sh -c 'echo $FOO in $PWD'\nexit\n",
    });
    expect(stdout).toBe("state\nbar in /work\n");
    expect(status).toBe(1);
  });

  it("goes back to the files from before the step", async () => {
    const { stdout } = await world.kiln(["debug", "build", failing], {
      input: "rollback --init ls /work\nrollback ls /work\n",
    });
    expect(stdout).toBe("d\n");
  });

  it("runs one command with standard input", async () => {
    const { stdout } = await world.kiln(["debug", "--invoke", "sh", "build", failing], {
      input: "ls d; exit 9\n",
    });
    expect(stdout).toBe("file\n");
  });

  it("copies files out", async () => {
    const out = join(world.directory, "copied");
    const { stderr } = await world.kiln(["debug", "build", "--copy", `/work/d=${out}`, failing]);
    expect(stderr).toContain(`copied /work/d to ${out}`);
    expect(readFileSync(join(out, "file"), "utf8")).toBe("state\n");
  });

  it("enters the result where it is asked to, and finishes the build", async () => {
    const context = world.context({ Dockerfile: "FROM busybox\nRUN echo good > /state\n" });
    const { status, stdout } = await world.kiln(
      ["debug", "--on=always", "--invoke=cat /state", "build", context],
      { input: "" },
    );
    expect(stdout).toBe("good\n");
    expect(status).toBe(0);
  });
});
