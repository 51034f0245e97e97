// RUN's flags as a user meets them: --mount of every type, --network, --security, and the build's flags that go with them.

import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { describeWith } from "../kit/needs.ts";
import { openWorld, type World } from "./world.ts";

describeWith(["root", "runtime", "registry", "bundle", "emulation", "apt"], "RUN", () => {
  let world: World;
  let server: Server;
  let port: number;
  beforeAll(async () => {
    world = await openWorld();
    server = createServer((socket) => socket.end("from the machine\n"));
    await new Promise<void>((resolve) => server.listen(0, resolve));
    port = (server.address() as { port: number }).port;
  });
  afterAll(async () => {
    server?.close();
    await world?.[Symbol.asyncDispose]();
  });

  const flags = (more: readonly string[]) => ["build", "--progress", "plain", ...more];
  const build = (dockerfile: string, more: readonly string[] = [], files = {}) =>
    world.kiln([...flags(more), world.context({ Dockerfile: `${dockerfile}\n`, ...files })]);
  /** What the last step wrote to /out. */
  const outOf = async (dockerfile: string, more: readonly string[] = [], files = {}) => {
    const out = join(world.directory, `out-${Math.random()}`);
    const result = await build(
      `${dockerfile}\nFROM scratch\nCOPY --from=one /out /out`,
      [...more, "-o", out],
      files,
    );
    expect(result.stderr).not.toContain("ERROR");
    expect(result.status).toBe(0);
    return readFileSync(join(out, "out"), "utf8");
  };
  const base = "FROM busybox AS one";
  const reach = (address: string) =>
    `{ timeout 3 nc ${address} ${port} </dev/null 2>/dev/null || echo unreachable; }`;

  describe("--network", () => {
    it("is the step's own by default: the machine's loopback and metadata services are out of reach", async () => {
      const text = await outOf(
        `${base}\nRUN (${reach("127.0.0.1")}; ${reach("169.254.169.254")}; ls /sys/class/net) > /out`,
      );
      expect(text).toBe("unreachable\nunreachable\neth0\nlo\n");
    });

    it("leads to the machine by host-gateway", async () => {
      const text = await outOf(`${base}\nRUN ${reach("machine")} > /out`, [
        "--add-host",
        "machine:host-gateway",
      ]);
      expect(text).toBe("from the machine\n");
    });

    it("host needs --allow, and the refusal names the line and the flag", async () => {
      const dockerfile = `${base}\nRUN --network=host ${reach("127.0.0.1")} > /out`;
      const refused = await build(dockerfile);
      expect(refused.status).toBe(1);
      expect(refused.stderr).toContain("Dockerfile:2");
      expect(refused.stderr).toContain("--allow network.host");
      expect(await outOf(dockerfile, ["--allow", "network.host"])).toBe("from the machine\n");
    });

    it("of the whole build may be the machine's, who asks for it allows it", async () => {
      const text = await outOf(`${base}\nRUN ${reach("127.0.0.1")} > /out`, ["--network", "host"]);
      expect(text).toBe("from the machine\n");
    });

    it("none has loopback alone", async () => {
      expect(await outOf(`${base}\nRUN --network=none ls /sys/class/net > /out`)).toBe("lo\n");
    });

    it("can be forced to be the machine's", async () => {
      const context = world.context({ Dockerfile: `${base}\nRUN ${reach("127.0.0.1")}\n` });
      const { stderr, status } = await world.kiln([...flags([]), context], {
        env: { KILN_NETWORK: "host" },
      });
      expect(status).toBe(0);
      expect(stderr).toContain("from the machine");
    });
  });

  describe("--security", () => {
    const dockerfile = `${base}\nRUN --security=insecure grep -E '^(CapEff|Seccomp):' /proc/self/status > /out; mount -t tmpfs none /mnt 2>/dev/null || mkdir -p /m && mount -t tmpfs none /m; echo 1 > /proc/sys/kernel/sysrq-probe 2>/dev/null; touch /sys/fs 2>&1; awk '$2 == "/sys" { print $4 }' /proc/mounts | cut -c1-2 >> /out; wc -c < /proc/kallsyms > /dev/null`;

    it("insecure needs --allow", async () => {
      const refused = await build(dockerfile);
      expect(refused.status).toBe(1);
      expect(refused.stderr).toContain("--allow security.insecure");
    });

    it("insecure has every capability of the machine, no filter, and may write to /sys", async () => {
      const text = await outOf(dockerfile, ["--allow", "security.insecure"]);
      const own = /^CapBnd:\s*(\w+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
      expect(text).toBe(`CapEff:\t${own}\nSeccomp:\t0\nrw\n`);
    });

    it("is the sandbox otherwise", async () => {
      const text = await outOf(
        `${base}\nRUN grep -E '^(CapEff|Seccomp):' /proc/self/status > /out; mount -t tmpfs none /mnt 2>/dev/null && echo mounted >> /out; true`,
      );
      expect(text).toBe("CapEff:\t00000000a80425fb\nSeccomp:\t2\n");
    });

    it("is not opened by a word that nobody knows", async () => {
      expect((await build(`${base}\nRUN --security=none true`)).status).toBe(1);
      const refused = await build(`${base}\nRUN true`, ["--allow", "network.hots"]);
      expect(refused.status).toBe(1);
      expect(refused.stderr).toContain("Did you mean network.host?");
    });
  });

  describe("--mount=type=ssh", () => {
    it("lends keys from a file to whoever the step runs as: to be listed, not to be removed", async () => {
      const key = join(world.directory, "id");
      const { privateKey } = generateKeyPairSync("ed25519");
      writeFileSync(key, privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
      // The client is the machine's own, with the libraries that it needs.
      const context = world.context({
        Dockerfile: `${base}
COPY client /
RUN mkdir -p /etc; echo me:x:1000:1000::/:/bin/sh >> /etc/passwd; touch /out && chmod 666 /out
USER me
RUN --mount=type=ssh,uid=1000,mode=0600 (stat -c '%a %u' $SSH_AUTH_SOCK; ssh-add -l; ssh-add -D; ssh-add -l) > /out 2>&1
FROM scratch
COPY --from=one /out /out
`,
      });
      for (const file of withLibraries("/usr/bin/ssh-add")) {
        const to = join(context, "client", file);
        mkdirSync(dirname(to), { recursive: true });
        copyFileSync(file, to);
      }
      const out = join(world.directory, "ssh");
      const ssh = ["--ssh", `default=${key}`, "-o", out];
      const { status, stderr } = await world.kiln([...flags(ssh), context]);
      expect(stderr).not.toContain("ERROR");
      expect(status).toBe(0);
      const lines = readFileSync(join(out, "out"), "utf8").split("\n");
      const listed = expect.stringMatching(/^256 SHA256:.* \(ED25519\)$/);
      expect(lines).toEqual([
        "600 1000",
        listed,
        expect.stringMatching(/agent refused|Failed/i),
        listed,
        "",
      ]);
    });

    it("is left out where nothing was offered, unless it is required", async () => {
      expect(
        await outOf(`${base}\nRUN --mount=type=ssh ls -d /run/buildkit > /out 2>&1 || true`),
      ).toContain("No such file");
      const { status, stderr } = await build(`${base}\nRUN --mount=type=ssh,required true`);
      expect(status).toBe(1);
      expect(stderr).toContain("Dockerfile:2");
      expect(stderr).toContain("--ssh default");
    });

    it("says before the build that an agent is dead, a key locked, a path wrong", async () => {
      const dead = join(world.directory, "dead.sock");
      const server = createServer((socket) => socket.destroy());
      await new Promise<void>((resolve) => server.listen(dead, resolve));
      try {
        const { stderr } = await build(base, ["--ssh", `default=${dead}`]);
        expect(stderr).toContain("does not answer");
        expect((await build(base, ["--ssh", "a=/nowhere"])).stderr).toContain("/nowhere");
      } finally {
        server.close();
      }
    });
  });

  describe("--mount", () => {
    it("bind is read-only unless asked for, and what is written is thrown away", async () => {
      const dockerfile = `${base}
RUN --mount=target=/a,source=dir (cat /a/f; touch /a/x 2>&1 || true) > /out
RUN --mount=type=bind,target=/a,source=dir,rw touch /a/x /a/f && ls /a >> /out
RUN --mount=target=/a,source=dir ls /a >> /out`;
      const context = { "dir/f": "text\n" };
      expect(await outOf(dockerfile, [], context)).toBe(
        "text\ntouch: /a/x: Read-only file system\nf\nx\nf\n",
      );
    });

    it("cache keeps files between builds, by id, with owner and mode", async () => {
      const dockerfile = (n: number) =>
        `${base}\nRUN --mount=type=cache,id=mine,target=/c,uid=7,gid=8,mode=0750 stat -c '%a %u %g' /c > /out; echo ${n} >> /c/log; cat /c/log >> /out`;
      expect(await outOf(dockerfile(1))).toBe("750 7 8\n1\n");
      expect(await outOf(dockerfile(2))).toBe("750 7 8\n1\n2\n");
    });

    it("cache begins with the files of from and source", async () => {
      const dockerfile = `FROM scratch AS base\nCOPY dir /dir\n${base}\nRUN --mount=type=cache,target=/c,from=base,source=/dir cat /c/f > /out && echo new > /c/f`;
      const context = { "dir/f": "text\n" };
      expect(await outOf(dockerfile, [], context)).toBe("text\n");
      expect(await outOf(`${dockerfile} # again`, [], context)).toBe("new\n");
    });

    it("tmpfs is empty and as large as it says", async () => {
      const text = await outOf(
        `${base}\nRUN --mount=type=tmpfs,target=/t,size=1m ls /t > /out; dd if=/dev/zero of=/t/f bs=1k count=2000 2>/dev/null; stat -c %s /t/f >> /out`,
      );
      expect(text).toBe("1048576\n");
    });

    it("secret is a file or a variable, and nowhere else", async () => {
      const file = join(world.directory, "secret");
      writeFileSync(file, "hush\n");
      const dockerfile = `${base}
RUN --mount=type=secret,id=s,uid=3,mode=0440 stat -c '%a %u' /run/secrets/s > /out && wc -c < /run/secrets/s >> /out
RUN --mount=type=secret,id=s,env=S [ -n "$S" ] && echo yes >> /out; ls /run 2>/dev/null >> /out || true`;
      expect(await outOf(dockerfile, ["--secret", `id=s,src=${file}`])).toBe("440 3\n5\nyes\n");
    });
  });

  describe("the build's flags", () => {
    it("--shm-size, --ulimit, --add-host and the sandbox's host name reach the step", async () => {
      const text = await outOf(
        `${base}\nRUN (hostname; df -k /dev/shm | awk 'NR==2{print $2}'; ulimit -n; grep -w db /etc/hosts) > /out`,
        ["--shm-size", "2m", "--ulimit", "nofile=512:1024", "--add-host", "db:10.0.0.9"],
      );
      expect(text).toBe("buildkitsandbox\n2048\n512\n10.0.0.9\tdb\n");
    });

    it("-m kills a step that takes more memory, and the error says so", async () => {
      const { status, stderr } = await build(`${base}\nRUN a=x; while :; do a=$a$a; done`, [
        "-m",
        "32m",
      ]);
      if (stderr.includes("cannot be limited")) return;
      expect(status).toBe(1);
      expect(stderr).toMatch(/memory/);
    });
  });

  it("keeps the whole log of a step", async () => {
    mkdirSync(join(world.directory, "logs"), { recursive: true });
    const { stderr } = await build(`${base}\nRUN seq 1 200000`);
    expect(stderr).toContain(" 200000\n");
    expect(stderr).not.toMatch(/clipped/);
    for (const n of [1, 77_777, 150_000]) expect(stderr).toMatch(new RegExp(` ${n}\\n`));
  });
});

/** A program and all that the loader brings with it, by where it lies. */
function withLibraries(program: string): readonly string[] {
  const text = execFileSync("ldd", [program], { encoding: "utf8" });
  return [program, ...[...text.matchAll(/(\/\S+) \(0x/g)].map(([, path = ""]) => path)].filter(
    (path) => existsSync(path),
  );
}
