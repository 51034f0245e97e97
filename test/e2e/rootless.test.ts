// Builds by users who have no privilege: for three processors, on every rung, with nothing of the machine changed.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { describeWith } from "../kit/needs.ts";
import {
  makeUser,
  type OrdinaryUser,
  userEnvironment,
  type Way,
  ways,
} from "../kit/ordinary-user.ts";
import { openWorld, threePlatforms, type World } from "./world.ts";

const command = resolve(import.meta.dirname, "../../bin/kiln");

const dockerfile = `FROM busybox
ARG TARGETPLATFORM
RUN uname -m > /machine && sh -c 'sh -c "uname -m"' > /nested && ls / | sort > /seen
RUN echo app:x:1000:1000::/home:/bin/sh >> /etc/passwd && echo app:x:1000: >> /etc/group \\
 && mkdir /data && echo $TARGETPLATFORM > /data/file && chown -R app:app /data
RUN mkdir /gone && touch /gone/a && rm -rf /gone && rm /bin/wc && mkdir /bin/wc && touch /bin/wc/x
COPY --chown=1000:1000 note /data/note
USER app
RUN echo mine > /tmp/mine
`;

/** What a build must leave as it was: the handlers, mounts and control groups of the machine. */
function machine(): string {
  const table = "/proc/sys/fs/binfmt_misc";
  const handlers = existsSync(`${table}/status`)
    ? readdirSync(table)
        .filter((name) => name !== "register")
        .map((name) => `${name}: ${readFileSync(join(table, name), "utf8")}`)
    : [];
  // Others may mount meanwhile; what Kiln mounts has its name.
  const mounts = readFileSync("/proc/self/mountinfo", "utf8").split("\n").filter(isOurs);
  const groups = execFileSync("find", ["/sys/fs/cgroup", "-type", "d"], { encoding: "utf8" });
  return [...handlers, ...mounts, ...groups.split("\n").filter(isOurs)].join("\n");
}

function isOurs(line: string): boolean {
  return /kiln-(t|devices|e2e)|binfmt_misc| kiln /.test(line);
}

describeWith(
  ["root", "runtime", "registry", "bundle", "qemu", "busybox", "users"],
  "without privilege",
  () => {
    let world: World;
    beforeAll(async () => {
      world = await openWorld();
      chmodSync(world.directory, 0o755);
      mkdirSync(join(world.directory, "context"));
      writeFileSync(join(world.directory, "context/Dockerfile"), dockerfile);
      writeFileSync(join(world.directory, "context/note"), "note");
    });
    afterAll(() => world?.[Symbol.asyncDispose]());

    describe.each(ways)("$name", (way) => {
      let user: OrdinaryUser;
      let before: string;
      beforeAll(() => {
        user = makeUser(way);
        before = machine();
      });
      afterAll(() => user?.[Symbol.dispose]());

      const kiln = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
        runAs(user, way, args, { ...env, KILN_CONFIG: join(world.directory, "kiln.toml") });

      it("builds for three processors, and the machine stays as it was", () => {
        const out = join(user.home, "out");
        const { status, output } = kiln([
          ...["build", "--platform", threePlatforms, "--progress", "plain"],
          ...["-o", `type=local,dest=${out}`, join(world.directory, "context")],
        ]);
        expect(output).not.toMatch(/This is a bug/);
        expect(status, output).toBe(0);
        const machines = ["amd64", "arm64", "arm_v7"].map((name) => {
          const file = (path: string) =>
            readFileSync(join(out, `linux_${name}`, path), "utf8").trim();
          expect(file("nested")).toBe(file("machine"));
          expect(file("data/note")).toBe("note");
          expect(existsSync(join(out, `linux_${name}`, "gone"))).toBe(false);
          expect(readdirSync(join(out, `linux_${name}`, "bin/wc"))).toEqual(["x"]);
          return file("machine");
        });
        expect(machines).toEqual(["x86_64", "aarch64", "armv7l"]);
        expect(machine()).toBe(before);
        // What was handed over is the user's own.
        execFileSync(user.become[0] ?? "", [...user.become.slice(1), "rm", "-rf", out]);
        expect(existsSync(out)).toBe(false);
      });

      it("keeps the owners that COPY and RUN give, and names nobody of this machine", () => {
        const tar = join(user.home, "out.tar");
        const { status, output } = kiln([
          ...["build", "--platform", "linux/arm64", "-o", `type=docker,dest=${tar}`],
          join(world.directory, "context"),
        ]);
        expect(status, output).toBe(0);
        const listing = layersOf(tar);
        expect(listing).toMatch(/1000\/1000 .* data\/note$/m);
        expect(listing).toMatch(/1000\/1000 .* tmp\/mine$/m);
        if (way.isolation !== "proot") expect(listing).toMatch(/1000\/1000 .* data\/file$/m);
        else expect(listing).toMatch(/0\/0 .* data\/file$/m);
        expect(listing).not.toContain(`${user.uid}/`);
      });

      it("leaves nothing when it is killed", async () => {
        const marker = `${7_000_000 + user.uid}`;
        const context = world.context({
          Dockerfile: `FROM busybox\nRUN (setsid sleep ${marker} &); sleep ${marker}\n`,
        });
        const [program = "", ...args] = [...user.become, command, "build", context];
        const child = spawn(program, args, {
          env: { ...userEnvironment(user, way), KILN_CONFIG: join(world.directory, "kiln.toml") },
          stdio: "ignore",
        });
        await until(() => countOf(marker) >= 2);
        child.kill("SIGKILL");
        await until(() => countOf(marker) === 0);
        await until(() => processesOf(user) === "");
        expect(machine()).toBe(before);
      });

      if (way.isolation !== "proot")
        it("shows steps nothing of the user", () => {
          const secret = `canary-${user.uid}`;
          writeFileSync(join(user.home, "key"), secret);
          const holder = spawn(
            user.become[0] ?? "",
            [...user.become.slice(1), "env", `CANARY=${secret}`, "sleep", "1000"],
            { stdio: "ignore" },
          );
          const context = world.context({
            Dockerfile: `FROM busybox
RUN env; ls -la /home ${user.home} /run /tmp; cat ${user.home}/key; \\
 cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline | tr '\\0' '\\n'; echo processes $(ls /proc | grep -c '^[0-9]'); \\
 ls /proc/[0-9]*/root/home; cat /proc/keys; cat /proc/1/mountinfo | wc -l; \\
 mount -t tmpfs none /mnt; echo x > /proc/sys/kernel/hostname; id; true
`,
          });
          const { status, output } = kiln(["build", "--progress", "plain", context], {
            CANARY: secret,
            SSH_AUTH_SOCK: `${user.home}/agent`,
          });
          holder.kill("SIGKILL");
          expect(status, output).toBe(0);
          const said = output.replaceAll(/^.*RUN env.*$/gm, "");
          expect(said).not.toContain(secret);
          expect(said).not.toContain("SSH_AUTH_SOCK");
          expect(Number(/processes (\d+)/.exec(said)?.[1])).toBeLessThan(8);
        });

      it("is all removed by its user", () => {
        const { status, output } = kiln(["prune", "--all", "--force"]);
        expect(status, output).toBe(0);
        const state = join(user.home, ".local");
        const removed = spawnSync(
          user.become[0] ?? "",
          [...user.become.slice(1), "rm", "-rf", state],
          { encoding: "utf8" },
        );
        expect(removed.stderr).toBe("");
        expect(existsSync(state)).toBe(false);
      });
    });

    it("a rung that does not work is refused with the reason", () => {
      const way: Way = { name: "root", isolation: "root", ranges: true };
      using user = makeUser(way);
      const { status, output } = runAs(user, way, ["build", join(world.directory, "context")], {});
      expect(status).not.toBe(0);
      expect(output).toContain("the isolation root does not work here: this user is not root");
    });

    it("files have many owners also where unshare maps no ranges, as before util-linux 2.38", () => {
      const way: Way = { name: "old util-linux", isolation: "userns", ranges: true };
      using user = makeUser(way);
      const bin = join(user.home, "bin");
      mkdirSync(bin);
      writeFileSync(
        join(bin, "unshare"),
        '#!/bin/sh\ncase "$*" in *--map-auto*) echo "unshare: unrecognized option" >&2; exit 1 ;; esac\nexec /usr/bin/unshare "$@"\n',
        { mode: 0o755 },
      );
      const tar = join(user.home, "out.tar");
      const { status, output } = runAs(
        user,
        way,
        ["build", "-o", `type=docker,dest=${tar}`, join(world.directory, "context")],
        {
          KILN_CONFIG: join(world.directory, "kiln.toml"),
          PATH: `${bin}:/usr/local/bin:/usr/bin:/bin`,
        },
      );
      expect(status, output).toBe(0);
      expect(layersOf(tar)).toMatch(/1000\/1000 .* data\/file$/m);
    });

    it("where parts of /proc are hidden, as in containers, steps run without a namespace", () => {
      const way: Way = { name: "hidden", isolation: "", ranges: true };
      using user = makeUser(way);
      const hide = 'mount --bind /dev/null /proc/keys && exec "$@"';
      const inContainer = {
        ...user,
        become: ["unshare", "--mount", "sh", "-c", hide, "sh", ...user.become],
      };
      const env = { KILN_CONFIG: join(world.directory, "kiln.toml") };
      const args = ["build", "--platform", "linux/arm64", join(world.directory, "context")];
      const built = runAs(inContainer, way, ["--debug", ...args], env);
      expect(built.status, built.output).toBe(0);
      expect(built.output).toContain("this machine allows no namespaces: steps run by proot");
      const forced = runAs(inContainer, way, [...args, "--isolation", "userns"], env);
      expect(forced.status).not.toBe(0);
      expect(forced.output).toMatch(/steps cannot have processes of their own here: .*proc/);
    });

    it("what was noted of an earlier start is not relied on where set-id programs do nothing", () => {
      const way: Way = { name: "noted", isolation: "", ranges: true };
      using user = makeUser(way);
      const args = ["build", join(world.directory, "context")];
      const env = { KILN_CONFIG: join(world.directory, "kiln.toml") };
      const first = runAs(user, way, args, env);
      expect(first.status, first.output).toBe(0);
      expect(existsSync(join(user.home, ".cache/kiln/start"))).toBe(true);
      const bare = { ...user, become: [...user.become, "setpriv", "--no-new-privs"] };
      const second = runAs(bare, way, args, env);
      expect(second.status, second.output).toBe(0);
    });

    it("root builds for other processors with nothing registered on the machine", async () => {
      const before = machine();
      const built = await world.kiln(
        [
          ...["build", "--platform", "linux/arm64,linux/arm/v7", "--progress", "plain"],
          ...["-o", join(world.directory, "root-out"), join(world.directory, "context")],
        ],
        { env: { KILN_EMULATION: "private" } },
      );
      expect(built.status, built.stderr).toBe(0);
      expect(machine()).toBe(before);
    });
  },
);

function runAs(
  user: OrdinaryUser,
  way: Way,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): { readonly status: number | null; readonly output: string } {
  const [program = "", ...words] = [...user.become, command, ...args];
  const run = spawnSync(program, words, {
    env: { ...userEnvironment(user, way), ...env },
    cwd: user.home,
    encoding: "utf8",
    timeout: 280_000,
  });
  return { status: run.status, output: run.stdout + run.stderr };
}

/** Owners and names of all files in all layers of a `type=docker` archive. */
function layersOf(tar: string): string {
  const script = `cd "$(mktemp -d)" && tar xf "$1" && for f in $(find . -type f); do tar tvf $f --numeric-owner 2>/dev/null || :; done; rm -rf "$PWD"`;
  return execFileSync("sh", ["-c", script, "sh", tar], { encoding: "utf8" });
}

function countOf(marker: string): number {
  const found = spawnSync("pgrep", ["-f", `sleep ${marker}`], { encoding: "utf8" });
  return found.stdout
    .split("\n")
    .filter(Boolean)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "latin1").includes(`sleep\0${marker}`);
      } catch {
        return false;
      }
    }).length;
}

function processesOf(user: OrdinaryUser): string {
  return spawnSync("ps", ["-u", user.name, "-o", "pid=,stat=,args="], { encoding: "utf8" })
    .stdout.split("\n")
    .filter((line) => line !== "" && !/^\s*\d+\s+Z/.test(line))
    .join("\n");
}

async function until(condition: () => boolean): Promise<void> {
  const end = performance.now() + 30_000;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`waited too long: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
