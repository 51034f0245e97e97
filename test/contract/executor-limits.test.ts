// What a step may use, and that nobody can exchange what is mounted into it, with the real runtime and the real kernel.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { isKilnError } from "../../src/base/index.ts";
import { type Executor, openExecutor } from "../../src/engine/executor/index.ts";
import { describeWith } from "../kit/needs.ts";
import {
  makeRoot,
  overlayOn,
  processOf,
  recorder,
  runShell,
  temporaryDirectory,
} from "./executor-kit.ts";

describeWith(["root", "runtime", "busybox"], "limits of a step", () => {
  let place: ReturnType<typeof temporaryDirectory>;
  let executor: Executor;
  beforeAll(async () => {
    place = temporaryDirectory();
    executor = await openExecutor({ stateDir: join(place.path, "state"), runtime: "crun" });
  });
  afterAll(async () => {
    await executor[Symbol.asyncDispose]();
    place[Symbol.dispose]();
  });
  let number = 0;
  const root = () => overlayOn(makeRoot(join(place.path, `root-${++number}`))).mounts;
  const run = async (command: string, more: Parameters<typeof processOf>[1]) => {
    const recorded = recorder();
    const process = processOf(["/bin/sh", "-c", command], more);
    const error = await executor.run(process, root(), [], recorded.call).then(
      () => undefined,
      (failure: unknown) => failure,
    );
    const warnings = recorded
      .result()
      .events.flatMap((event) => (event.type === "warning" ? [event.warning.message] : []));
    return { error, warnings, stdout: recorded.result().stdout };
  };
  const eat = "/bin/busybox head -c 300000000 /dev/zero | /bin/busybox tail | wc -c";

  it("kills what takes more memory than allowed, says so, and leaves no group", async () => {
    const { error, warnings } = await run(eat, { resources: { memory: 32 << 20 } });
    if (warnings.length > 0) {
      expect(warnings[0]).toContain("cannot be limited on this machine");
      return;
    }
    // The shell goes on when a part of its pipe is killed; its exit code is the last part's.
    if (error !== undefined) {
      expect(isKilnError(error, "PROCESS_FAILED")).toBe(true);
      expect(String(error)).toContain("lack of memory");
    }
    const direct = await run("exec /bin/busybox sh -c 'a=x; while :; do a=$a$a; done'", {
      resources: { memory: 32 << 20 },
    });
    expect(String(direct.error)).toContain("exit code: 137: killed for lack of memory");
    expect(groups()).toEqual([]);
  });

  it("leaves a step alone that needs less, in a group below the parent that is asked for", async () => {
    const resources = { memory: 64 << 20, cpuShares: 512, cpuQuota: 100_000, cpusetCpus: "0" };
    const { error, stdout, warnings } = await run("echo fine", {
      resources,
      cgroupParent: "../../kiln-test",
    });
    expect(error).toBeUndefined();
    expect(stdout).toBe("fine\n");
    expect(warnings.every((one) => one.includes("cannot be limited"))).toBe(true);
    expect(groups()).toEqual([]);
  });

  it("never follows a link that another step put in the place of a cache's subdirectory", async () => {
    const canary = join(place.path, "canary");
    mkdirSync(canary);
    writeFileSync(join(canary, "f"), "the machine's\n");
    const path = join(place.path, "cache");
    mkdirSync(join(path, "sub"), { recursive: true });
    writeFileSync(join(path, "sub/f"), "mine\n");
    // As a step of another process would: it never stops, and waits for nothing.
    const swapper = spawn(process.execPath, [
      "-e",
      `const { renameSync, symlinkSync, rmSync } = require("node:fs");
       process.chdir(process.argv[1]);
       for (;;) try {
         renameSync("sub", "away");
         symlinkSync(process.argv[2], "sub");
         rmSync("sub");
         renameSync("away", "sub");
       } catch {}`,
      path,
      canary,
    ]);
    let reached = 0;
    for (let round = 0; round < 60; round++) {
      try {
        const { stdout } = await runShell(executor, root(), "cat /c/f; echo x > /c/g", {
          mounts: [
            {
              target: "/c",
              readonly: false,
              what: { type: "directory", path, selector: "sub" },
            },
          ],
        });
        expect(stdout).toBe("mine\n");
        reached++;
      } catch (error) {
        // While the link is there, it leads to a place in the cache that does not exist.
        expect(String(error)).toMatch(/does not exist in what is to be mounted/);
      }
    }
    const ended = new Promise((resolve) => swapper.once("exit", resolve));
    swapper.kill("SIGKILL");
    await ended;
    expect(reached).toBeGreaterThan(0);
    expect(readdirSync(canary)).toEqual(["f"]);
    expect(readFileSync(join(canary, "f"), "utf8")).toBe("the machine's\n");
  });
});

/** Groups of this process that are still there. */
function groups(): readonly string[] {
  const own = `kiln-${process.pid}-`;
  return ["", "memory", "cpu", "cpuset", "unified"]
    .flatMap((name) => ["", "kiln-test"].map((parent) => join("/sys/fs/cgroup", name, parent)))
    .flatMap((path) => (existsSync(path) ? readdirSync(path) : []))
    .filter((name) => name.startsWith(own));
}
