// Steps that try to get out of their container: through mounts, working directories, devices, the runtime and the network.
import { readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { digestOf } from "../../src/base/index.ts";
import { describeWith } from "../kit/needs.ts";
import { needsOf, prefixWays, type Way, ways } from "../kit/ordinary-user.ts";
import { type HostileWorld, openHostileWorld } from "./hostile-world.ts";

const climb = "../../../../../../../../../../../..";

/** As root, and as an ordinary user on every rung that keeps steps apart from the machine, also emulated by prefix. */
const standings: readonly (Way | undefined)[] = [
  undefined,
  ...ways.filter(({ isolation }) => isolation !== "proot"),
  ...prefixWays,
];

describe.each(standings.map((way) => ({ who: way?.name ?? "root", way })))("as $who", ({ way }) => {
  describeWith(needsOf(way), "hostile steps", () => {
    let world: HostileWorld;
    let before: string;
    /** Links out of the image. */
    let evil: string;
    beforeAll(async () => {
      world = await openHostileWorld(way);
      before = world.fingerprint();
      evil = world.image([
        { path: "link", linkname: world.canary },
        { path: "climbing", linkname: `${climb}${world.canary}` },
        { path: "root", linkname: climb },
      ]);
    });
    afterAll(() => world?.[Symbol.asyncDispose]());
    afterEach(() => expect(world.fingerprint()).toBe(before));

    const run = (instruction: string, ...more: string[]) =>
      world.build(`FROM ${evil}\n${instruction}\n`, { data: "mine" }, ...more);

    describe("mounts", () => {
      it.each(["/link", "/climbing", `/link/${climb}/canary`])(
        "from another image do not follow %s out of it (CVE-2024-1753)",
        async (source) => {
          const { status, output } = await run(
            `RUN --mount=type=bind,rw,from=${evil},source=${source},target=/m ls -R /m; echo evil > /m/file`,
          );
          expect(status).toBe(1);
          expect(output).toMatch(/not found|does not exist/);
          expect(output).not.toContain(world.secret);
        },
      );

      it("from / of another image show that image", async () => {
        const { status, output } = await run(
          `RUN --mount=type=bind,from=${evil},source=/root,target=/m test -x /m/bin/busybox && ls /m`,
        );
        expect(status).toBe(0);
        expect(output).not.toMatch(/^#\d+ [\d.]+ (boot|home)$/m);
      });

      it.each(["tmpfs", "cache"])("of type %s upon a link land inside", async (type) => {
        for (const target of ["/link", "/link/sub", "/climbing/file2", "/root/inside"]) {
          const { status } = await run(
            `RUN --mount=type=${type},target=${target} touch ${target}/made && ls ${target}/made`,
          );
          expect(status).toBe(0);
        }
      });

      it.each([
        "mv /run /away; ln -s CANARY /run",
        "rm -rf /run/*; ln -s CANARY /run/a",
        "mv /etc /away; ln -s CANARY /etc",
      ])(
        "whose surroundings a step replaces by links are not tidied up elsewhere: %s",
        async (swap) => {
          const command = swap.replace("CANARY", world.canary);
          await run(
            `RUN --mount=type=tmpfs,target=/run/sub --mount=type=secret,id=x,target=/run/file ${command}; true`,
          );
        },
      );

      it.each([
        `id=${climb}/canary`,
        "id=..",
        "id=/etc",
        "id=a%2f..%2f..",
        `id=x,source=${climb}/etc`,
        "id=y,from=scratch,source=/nowhere",
      ])("of caches keep to their place: %s", async (how) => {
        const { output } = await run(
          `RUN --mount=type=cache,target=/c,${how} touch /c/made && ls -a /c && test ! -e /c/hostname`,
        );
        expect(output).not.toMatch(/This is a bug/);
        expect(readdirSync(world.directory)).not.toContain("made");
      });

      it.each([
        "bind-propagation=shared",
        "propagation=rshared",
        "suid",
        "dev",
        "type=proc",
        "options=dev",
      ])("take no option %s", async (option) => {
        const { status, output } = await run(`RUN --mount=target=/m,${option} true`);
        expect(status).toBe(1);
        expect(output).toContain("Dockerfile:2");
      });

      it("of the context can be written to without the context changing (CVE-2025-4953)", async () => {
        const context = world.context({
          Dockerfile: `FROM ${evil}\nRUN --mount=type=bind,rw,target=/src echo evil > /src/data; rm /src/other; mkdir /src/new; chmod 777 /src\n`,
          data: "mine",
          other: "mine",
        });
        const { status } = await world.kiln(["build", "--progress", "plain", context]);
        expect(status).toBe(0);
        expect(readdirSync(context).sort()).toEqual(["Dockerfile", "data", "other"]);
        expect(readFileSync(join(context, "data"), "utf8")).toBe("mine");
      });

      it("of one cache survive a step that swaps directories for links while another mounts (CVE-2024-23651)", async () => {
        const swap = `RUN --mount=type=cache,id=shared,target=/c i=0; while test $i -lt 400; do i=$((i+1)); rm -rf /c/sub; ln -s ${world.canary} /c/sub; rm /c/sub; mkdir /c/sub; done`;
        const mount = (n: number) =>
          `FROM ${evil} AS m${n}\nRUN --mount=type=cache,id=shared,target=/c mkdir -p /c/sub; true\nRUN --mount=type=cache,id=shared,target=/c --mount=type=tmpfs,target=/c/sub echo evil > /c/sub/file; touch /m${n}`;
        const copies = [1, 2, 3].map((n) => `COPY --from=m${n} /m${n} /`).join("\n");
        const dockerfile = `${[1, 2, 3].map(mount).join("\n")}\nFROM ${evil} AS swap\n${swap}\nRUN touch /s\nFROM scratch\n${copies}\nCOPY --from=swap /s /\n`;
        await world.build(dockerfile);
      });
    });

    describe("working directories", () => {
      it.each(["/proc/self/fd/7", "/proc/self/fd/8/../..", "/proc/self/cwd", "/proc/1/root"])(
        "cannot be %s (CVE-2024-21626)",
        async (path) => {
          const { status, output } = await run(`WORKDIR ${path}\nRUN ls ${climb}`);
          expect(status).toBe(1);
          expect(output).not.toMatch(/^#\d+ [\d.]+ (boot|home)$/m);
        },
      );
    });

    describe("kernel directories of the image", () => {
      it.each([
        ["dev", "link"],
        ["proc", "link"],
        ["sys", "link"],
        ["dev", "fifo"],
        ["proc", "file"],
      ] as const)("/%s as a %s is refused", async (path, kind) => {
        const entry =
          kind === "link" ? { path, linkname: `${climb}${world.canary}` } : { path, type: kind };
        const { status, output, seconds } = await world.build(
          `FROM ${world.image([entry])}\nRUN true\n`,
        );
        expect(status).toBe(1);
        expect(output).toContain(`/${path} is not a directory`);
        expect(seconds).toBeLessThan(20);
      });

      it("links within them lead nowhere (CVE-2025-31133, CVE-2025-52565)", async () => {
        const name = world.image([
          { path: "dev/", mode: 0o755 },
          ...["null", "console", "pts", "ptmx", "shm", "full"].map((one) => ({
            path: `dev/${one}`,
            linkname: one === "null" ? "/proc/sysrq-trigger" : world.canary,
          })),
        ]);
        const { status, output } = await world.build(
          `FROM ${name}\nRUN echo b > /dev/null; ls -l /dev; test -c /dev/null && test -c /dev/full && test -d /dev/shm\n`,
        );
        expect(output).not.toContain("sysrq-trigger\n");
        expect(status).toBe(0);
      });
    });

    it("devices that they make cannot be opened, wherever they make them", async () => {
      const { status, output } = await run(
        `RUN --mount=type=cache,target=/c --mount=type=tmpfs,target=/t --mount=type=bind,rw,target=/b for d in "b 7 0" "c 10 237" "c 1 5"; do for p in /z /dev/z /t/z /c/z /b/z; do rm -f $p; mknod $p $d && (exec 3<$p) && echo opened; done; done; true`,
      );
      expect(status).toBe(0);
      expect(output).not.toMatch(/^#\d+ [\d.]+ opened/m);
      // A user namespace does not even let them be made.
      expect(output.match(/Permission denied|Operation not permitted/g)).toHaveLength(15);
    });

    it("the devices that they have work, and those of the host stay as they are", async () => {
      const { status } = await run(
        "RUN echo x > /dev/null && test $(head -c 5 /dev/zero | wc -c) = 5 && test $(head -c 5 /dev/urandom | wc -c) = 5 && ! echo x > /dev/full && ! chmod 600 /dev/null",
      );
      expect(status).toBe(0);
    });

    it("have three open files, and no way to the runtime's program (CVE-2019-5736)", async () => {
      const runtime = () =>
        ["/usr/bin/crun", "/usr/sbin/runc", "/usr/bin/crun", process.execPath].map((path) => {
          try {
            return digestOf(readFileSync(path));
          } catch {
            return path;
          }
        });
      const programs = runtime();
      // A program that the kernel does not run itself can write over its own file; proot has one more open, for itself.
      const prefixed = way?.emulation === "prefix";
      const [each, after] = prefixed
        ? ["[ $p = /proc/$$ ] || ", "! readlink /proc/1/fd/3 &&"]
        : ["", ""];
      const { status, output } = await run(
        `RUN for i in $(seq 20); do for p in /proc/[0-9]*; do ${each}echo x > $p/exe; done; done 2>/dev/null; ${after} ls /proc/1/fd | wc -l`,
      );
      expect(status, output).toBe(0);
      expect(output).toMatch(prefixed ? /^#\d+ [\d.]+ 4$/m : /^#\d+ [\d.]+ 3$/m);
      expect(runtime()).toEqual(programs);
    });

    it.each(["--security=insecure", "--network=host"])(
      "%s is not to be had without being allowed",
      async (flag) => {
        const { status, output } = await run(`RUN ${flag} true`);
        expect(status).toBe(1);
        expect(output).toMatch(/--allow|entitlement/);
      },
    );

    it.each(way === undefined ? ["sandbox"] : ["slirp4netns", "pasta"])(
      "a server on the host's loopback is out of reach, with the network %s",
      async (network) => {
        const asked: string[] = [];
        const server = createServer((socket) =>
          socket.on("data", (data) => {
            asked.push(data.toString().trim());
            socket.end("answer");
          }),
        );
        await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
        const { port } = server.address() as AddressInfo;
        // 10.0.2.2 and .3 stand for the machine and its name servers where a program carries the packets.
        const ask = (flag: string, addresses: readonly string[]) => {
          const each = `(echo ${flag}; sleep 1) | busybox nc -w 2 $a ${port}; true`;
          const script = `for a in ${addresses.join(" ")}; do ${each}; done`;
          const dockerfile = `FROM ${evil}\nRUN --network=${flag} ${script} # ${network}\n`;
          const directory = world.context({ Dockerfile: dockerfile });
          const args = ["build", "--allow", "network.host", "--progress", "plain"];
          const platform = ["--platform", `linux/${world.architecture}`];
          return world.kiln([...args, ...platform, directory], { KILN_NETWORK: network });
        };
        try {
          const inside = ["127.0.0.1", "10.0.2.2", "10.0.2.3", "10.0.2.100"];
          const { status, output } = await ask("default", inside);
          expect(status, output).toBe(0);
          expect(asked).toEqual([]);
          const shared = await ask("host", ["127.0.0.1"]);
          expect(shared.status, shared.output).toBe(0);
          expect(asked).toEqual(["host"]);
        } finally {
          server.close();
        }
      },
    );

    it("a link in the context in place of a mount's source does not lead out", async () => {
      const context = world.context({
        Dockerfile: `FROM ${evil}\nRUN --mount=type=bind,source=out,target=/m cat /m/file\n`,
      });
      symlinkSync(world.canary, join(context, "out"));
      writeFileSync(join(context, "other"), "");
      const { status, output } = await world.kiln(["build", "--progress", "plain", context]);
      expect(status).toBe(1);
      expect(output).not.toContain(world.secret);
    });
  });
});
