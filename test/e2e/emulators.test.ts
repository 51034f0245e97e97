// Emulators that somebody has named: pinned by digest, and the next one for a step that crashed, on every rung.
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { digestOf } from "../../src/base/index.ts";
import { describeWith } from "../kit/needs.ts";
import {
  makeUser,
  type OrdinaryUser,
  userEnvironment,
  type Way,
  ways,
} from "../kit/ordinary-user.ts";
import { openWorld, type World } from "./world.ts";

const command = resolve(import.meta.dirname, "../../bin/kiln");

/** Root, and an ordinary user on every rung. */
const standings: readonly (Way | undefined)[] = [undefined, ...ways];

/** Values of KILN_EMULATION that work on a rung, and how programs run then. Without a namespace there is only one. */
function emulationsOf(way: Way | undefined): readonly (readonly [string, string])[] {
  if (way?.isolation === "proot") return [["auto", "ptrace"]];
  return [
    ["private", "private-handler"],
    ["prefix", "prefix"],
  ];
}

/** A static program for this machine that dies of SIGILL, as an emulator does at an instruction that it does not know. */
function crashing(): Uint8Array {
  const header = readFileSync("/usr/bin/qemu-aarch64-static").subarray(0, 64 + 56);
  const program = new Uint8Array(64 + 56 + 2);
  program.set(header.subarray(0, 64));
  const view = new DataView(program.buffer);
  const put = (at: number, value: number) => view.setBigUint64(at, BigInt(value), true);
  view.setUint16(16, 2, true);
  put(24, 0x400078);
  put(32, 64);
  put(40, 0);
  view.setUint16(56, 1, true);
  view.setUint16(60, 0, true);
  view.setUint16(62, 0, true);
  view.setUint32(64, 1, true);
  view.setUint32(68, 5, true);
  put(72, 0);
  put(80, 0x400000);
  put(88, 0x400000);
  put(96, program.length);
  put(104, program.length);
  put(112, 0x1000);
  // An instruction that no processor has: ud2.
  program.set([0x0f, 0x0b], 64 + 56);
  return program;
}

describeWith(
  ["root", "runtime", "registry", "bundle", "qemu", "busybox", "users"],
  "emulators that are named",
  () => {
    let world: World;
    let broken: string;
    let good: string;
    beforeAll(async () => {
      world = await openWorld();
      chmodSync(world.directory, 0o755);
      broken = join(world.directory, "qemu-broken");
      good = join(world.directory, "qemu-good");
      writeFileSync(broken, crashing());
      copyFileSync("/usr/bin/qemu-aarch64-static", good);
      for (const file of [broken, good]) chmodSync(file, 0o755);
    });
    afterAll(() => world?.[Symbol.asyncDispose]());

    describe.each(standings.map((way) => ({ who: way?.name ?? "root", way })))(
      "as $who",
      ({ way }) => {
        let user: OrdinaryUser | undefined;
        let count = 0;
        beforeAll(() => {
          user = way && makeUser(way);
        });
        afterAll(() => user?.[Symbol.dispose]());

        /** Builds for arm64 with these emulators; the result lies in `out`. */
        const build = (
          qemu: string,
          config = "",
          run = "uname -m > /machine",
          more: Readonly<Record<string, string>> = {},
        ) => {
          const directory = join(user?.home ?? world.directory, `build${++count}`);
          mkdirSync(directory);
          const text = readFileSync(join(world.directory, "kiln.toml"), "utf8");
          writeFileSync(join(directory, "kiln.toml"), `${text}\n${config}`);
          writeFileSync(join(directory, "Dockerfile"), `FROM busybox\nRUN ${run} # ${count}\n`);
          if (user) spawnSync("chown", ["-R", user.name, directory]);
          const args = ["build", "--platform", "linux/arm64", "--progress", "plain"];
          const out = join(directory, "out");
          const [program = "", ...words] = [...(user?.become ?? []), command, ...args];
          const built = spawnSync(program, [...words, "-o", out, directory], {
            env: {
              ...(user && way
                ? userEnvironment(user, way)
                : { ...process.env, KILN_ROOT: world.root, NO_COLOR: "1" }),
              KILN_CONFIG: join(directory, "kiln.toml"),
              KILN_QEMU: qemu,
              ...more,
            },
            cwd: directory,
            encoding: "utf8",
          });
          const machine = () => readFileSync(join(out, "machine"), "utf8").trim();
          const seen = () => readFileSync(join(out, "seen"), "utf8");
          const left = (path: string) => readdirSync(join(out, path));
          return { status: built.status, output: built.stdout + built.stderr, machine, seen, left };
        };

        it("a step that crashed runs again under the next", () => {
          const { status, output, machine } = build(`arm64=${broken}:arm64=${good}`);
          expect(status, output).toBe(0);
          expect(machine()).toBe("aarch64");
          expect(output).toMatch(
            /crashed under the emulator qemu-broken; it runs again under qemu-/,
          );
        });

        it("what a crashed attempt has written is gone when the next begins", () => {
          const again = join(world.directory, "qemu-again");
          copyFileSync(good, again);
          const run = "[ ! -e /written ] || exit 7; echo x > /written; kill -SEGV $$";
          const { status, output } = build(`arm64=${good}:arm64=${again}`, "", run);
          expect(status).not.toBe(0);
          expect(output.match(/^#\d+ [\d.]+ the step crashed .*; it runs again/gm)).toHaveLength(1);
          expect(output).toContain("exit code: 139");
        });

        it.each(emulationsOf(way))(
          "programs are run by the rung %s when it is forced",
          (mode, kind) => {
            const run =
              "(sleep 1000 &); sh -c 'uname -m' > /machine; ls -a / /tmp > /seen; exec sh -c 'exit 3' || true";
            const env = { KILN_EMULATION: mode, KILN_DEBUG: "executor" };
            const failed = build("", "", run, env);
            expect(failed.output).toContain(`"by":"${kind}"`);
            expect(failed.output).toContain("exit code: 3");
            const built = build("", "", run.replace("exec", "true"), env);
            expect(built.status, built.output).toBe(0);
            expect(built.machine()).toBe("aarch64");
            expect(built.left("tmp")).toEqual([]);
            expect(built.left("")).not.toContain("host-rootfs");
          },
        );

        it.each(emulationsOf(way))(
          "under %s another user's programs run, /tmp may be emptied, and no variable is added",
          (mode) => {
            const run = [
              "env > /seen; echo 'app:x:7:7::/:/bin/sh' >> /etc/passwd",
              "rm -rf /tmp/* && busybox su app -c 'busybox uname -m; sh -c \"exit 5\"; echo $?' > /machine",
              "grep CapEff /proc/self/status >> /seen",
            ].join("; ");
            const built = build("", "", run, { KILN_EMULATION: mode });
            expect(built.status, built.output).toBe(0);
            expect(built.machine()).toBe("aarch64\n5");
            expect(built.seen()).not.toMatch(/host-rootfs|PROOT|LD_LIBRARY_PATH|KILN/);
            // CAP_SYS_PTRACE (19) is proot's alone.
            const [, capabilities = "0"] = /^CapEff:\s*(\S+)$/m.exec(built.seen()) ?? [];
            expect((BigInt(`0x${capabilities}`) >> 19n) & 1n).toBe(0n);
          },
        );

        it.each(emulationsOf(way))("under %s a crashed step runs again too", (mode) => {
          const env = { KILN_EMULATION: mode, KILN_DEBUG: "executor" };
          const { status, output, machine } = build(
            `arm64=${broken}:arm64=${good}`,
            "",
            "uname -m > /machine",
            env,
          );
          expect(status, output).toBe(0);
          expect(machine()).toBe("aarch64");
        });

        it("one alone crashes, and is named", () => {
          const { status, output } = build(`arm64=${broken}`);
          expect(status).not.toBe(0);
          expect(output).toContain("qemu-broken");
          expect(output).not.toContain("runs again");
        });

        it("one of the configuration file is taken when its digest is right, and refused when it is not", () => {
          const table = (digest: string) =>
            `[[emulators.arm64]]\npath = "${good}"\ndigest = "${digest}"\n`;
          const right = build("", table(digestOf(readFileSync(good))));
          expect(right.status, right.output).toBe(0);
          expect(right.machine()).toBe("aarch64");
          const wrong = build("", table(digestOf(new Uint8Array(1))));
          expect(wrong.status).not.toBe(0);
          expect(wrong.output).toContain("is not the one that is pinned");
        });
      },
    );
  },
);
