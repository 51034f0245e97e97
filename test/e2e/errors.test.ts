// What users meet when something is wrong: clear words, the right exit code, and nothing left behind.
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { startRegistry } from "../../scripts/fixtures/registry.ts";
import { describeWith } from "../kit/needs.ts";
import { openWorld, type World } from "./world.ts";

/** A password file's line, made once with bcrypt, which is all that docker-registry takes. */
const aliceWithPasswordRight = "alice:$2y$05$vivBL6Ti1f7HgQx/cam1xuaohOuPzqDbTRbsv/YfGvDPr/auJ1xFe";

describeWith(["root", "runtime", "registry", "bundle", "emulation", "apt"], "errors", () => {
  let world: World;
  beforeAll(async () => {
    world = await openWorld();
  });
  afterAll(() => world?.[Symbol.asyncDispose]());
  afterEach(() => expect(leftovers(world)).toEqual([]));

  const build = (dockerfile: string, files: Record<string, string> = {}, ...more: string[]) =>
    world.kiln([
      "build",
      "--progress",
      "plain",
      ...more,
      world.context({ Dockerfile: dockerfile, ...files }),
    ]);

  describe("in the Dockerfile", () => {
    it("names an unknown instruction, its line and the nearest known one", async () => {
      const { status, stderr } = await build("FROM busybox\nRUNN echo hi\n");
      expect(status).toBe(1);
      expect(stderr).toContain("Dockerfile:2");
      expect(stderr).toMatch(/unknown instruction: RUNN/i);
      expect(stderr).toMatch(/did you mean RUN\?/i);
      expect(stderr).not.toMatch(/^\s+at .*\(.*:\d+:\d+\)/m);
    });

    it("tells all mistakes of the file in one run", async () => {
      const { stderr } = await build("FROM busybox\nRUNN echo hi\nCOPPY a b\n");
      expect(stderr).toContain("RUNN");
      expect(stderr).toContain("COPPY");
    });

    it("names a missing stage", async () => {
      const { status, stderr } = await build(
        "FROM busybox AS builder\nFROM busybox\nCOPY --from=1x /a /a\n",
      );
      expect(status).toBe(1);
      expect(stderr).toContain("1x");
    });

    it("names a file that COPY does not find", async () => {
      const { status, stderr } = await build("FROM busybox\nCOPY missing.txt /\n", {
        "present.txt": "",
      });
      expect(status).toBe(1);
      expect(stderr).toContain("missing.txt");
      expect(stderr).toContain("not found");
      expect(stderr).toContain("Dockerfile:2");
    });

    it("says when .dockerignore dropped the file", async () => {
      const files = { "secret.txt": "x", ".dockerignore": "*.txt\n" };
      const { status, stderr } = await build("FROM busybox\nCOPY secret.txt /\n", files);
      expect(status).toBe(1);
      expect(stderr).toContain("secret.txt");
      expect(stderr).toContain(".dockerignore");
    });
  });

  describe("in a step", () => {
    it("shows the exit code, the last lines and the place in the Dockerfile", async () => {
      const { status, stderr } = await build("FROM busybox\nRUN echo before && gss hello.c\n");
      expect(status).toBe(1);
      expect(stderr).toContain("exit code: 127");
      expect(stderr).toContain("gss: not found");
      expect(stderr).toContain("Dockerfile:2");
      expect(stderr).toMatch(/>>> RUN echo before && gss hello\.c/);
    });

    it("does not push anything when one platform fails", async () => {
      const name = `${world.registry.address}/half:1`;
      const { status } = await build(
        "FROM busybox\nARG TARGETARCH\nRUN [ $TARGETARCH != arm64 ]\n",
        {},
        "--platform",
        "linux/amd64,linux/arm64",
        "-t",
        name,
        "--push",
      );
      expect(status).toBe(1);
      expect((await fetch(`http://${world.registry.address}/v2/half/tags/list`)).status).toBe(404);
    });

    it("stops at once on Ctrl-C, with exit code 130 and no process left", async () => {
      const context = world.context({ Dockerfile: "FROM busybox\nRUN echo begun && sleep 321\n" });
      const outcome = await world.kiln(["build", "--progress", "plain", context], {
        started: (child) =>
          child.stderr?.on(
            "data",
            (text: string) => text.includes(" begun") && child.kill("SIGINT"),
          ),
      });
      expect(outcome.status).toBe(130);
      expect(outcome.seconds).toBeLessThan(60);
    });

    it("leaves nothing behind when it is killed", async () => {
      const context = world.context({ Dockerfile: "FROM busybox\nRUN echo begun && sleep 321\n" });
      const outcome = await world.kiln(["build", "--progress", "plain", context], {
        started: (child) =>
          child.stderr?.on(
            "data",
            (text: string) => text.includes(" begun") && child.kill("SIGKILL"),
          ),
      });
      expect(outcome.signal ?? outcome.status).toSatisfy(
        (end: unknown) => end === "SIGKILL" || end === 137,
      );
      // The kernel takes down the step's processes; that may take a moment.
      await new Promise((resolve) => setTimeout(resolve, 500));
    });
  });

  describe("of platforms", () => {
    it("names the platforms that a base image offers", async () => {
      const { status, stderr } = await build("FROM busybox\n", {}, "--platform", "linux/s390x");
      expect(status).toBe(1);
      expect(stderr).toContain("linux/s390x");
      expect(stderr).toContain("linux/arm64");
    });

    it("says before any work that nothing here runs a platform's programs, and how to change it", async () => {
      const dockerfile = "FROM scratch\nCOPY a /\nRUN echo hi\n";
      const { status, stderr } = await build(dockerfile, { a: "" }, "--platform", "linux/ia64");
      expect(status).toBe(1);
      expect(stderr).toMatch(/linux\/ia64/);
      expect(stderr).toMatch(/EMULATOR_MISSING/);
      expect(stderr).not.toMatch(/\[.*\] COPY a \/\n#\d+ DONE/);
    });
  });

  describe("of registries", () => {
    it("says that a registry cannot be reached", async () => {
      const { status, stderr } = await build("FROM busybox\n", {}, "-t", "127.0.0.1:1/x", "--push");
      expect(status).toBe(1);
      expect(stderr).toContain("127.0.0.1:1");
      expect(stderr).toContain("REGISTRY_UNREACHABLE");
    });

    it("says that credentials are wrong, and works with the right ones", async () => {
      const directory = join(world.directory, "private-registry");
      mkdirSync(directory);
      const users = join(directory, "htpasswd");
      writeFileSync(users, `${aliceWithPasswordRight}\n`);
      const more = `auth: {htpasswd: {realm: test, path: "${users}"}}\n`;
      await using registry = await startRegistry({ directory, more });
      const login = (password: string) => {
        const config = join(world.directory, "docker");
        mkdirSync(config, { recursive: true });
        const auth = btoa(`alice:${password}`);
        writeFileSync(
          join(config, "config.json"),
          JSON.stringify({ auths: { [registry.address]: { auth } } }),
        );
      };
      const push = () =>
        build(
          "FROM busybox\nRUN echo ran-it\n",
          {},
          "-t",
          `${registry.address}/private:1`,
          "--push",
        );
      login("wrong");
      const refused = await push();
      expect(refused.status).toBe(1);
      expect(refused.stderr).toContain("REGISTRY_DENIED");
      expect(refused.stderr).not.toContain("right");
      login("right");
      expect((await push()).status).toBe(0);
    });
  });

  describe("of the disk", () => {
    it("says that the disk is full, and the next build works", async () => {
      const disk = join(world.directory, "disk");
      mkdirSync(disk);
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=24m", "tmpfs", disk]);
      try {
        const root = ["--root", join(disk, "root")];
        const full = await build(
          "FROM busybox\nRUN dd if=/dev/zero of=/big bs=1M count=100\nRUN true\n",
          {},
          ...root,
        );
        expect(full.status).toBe(1);
        expect(full.stderr).toMatch(/no space left/i);
        const fits = await build("FROM busybox\nRUN echo fits > /small\n", {}, ...root);
        expect(fits.stderr).not.toMatch(/no space left/i);
        expect(fits.status).toBe(0);
      } finally {
        execFileSync("umount", [disk]);
      }
    });
  });
});

/** Mounts below the store and processes of steps. */
function leftovers(world: World): string[] {
  const mounts = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => line.includes(world.root));
  const processes = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => commandLine(pid))
    .filter((line) => line.includes("sleep 321"));
  return [...mounts, ...processes];
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch {
    return "";
  }
}
