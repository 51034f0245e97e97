// What every executor promises, with the real runtimes on a real root file system.
import { spawn } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { connect, createServer } from "node:net";
import { constants } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { isKilnError, uncancelled } from "../../src/base/index.ts";
import type { ProcessControl } from "../../src/engine/executor/index.ts";
import { type Executor, openExecutor } from "../../src/engine/executor/index.ts";
import { machineCode, staticProgram } from "../../src/engine/executor/programs/static-program.ts";
import { describeWith } from "../kit/needs.ts";
import {
  makeRoot,
  overlayOn,
  processOf,
  recorder,
  runShell,
  temporaryDirectory,
} from "./executor-kit.ts";

const runtimes = (["crun", "runc"] as const).filter(
  (name) => existsSync(`/usr/bin/${name}`) || existsSync(`/usr/sbin/${name}`),
);

describeWith(["root", "runtime", "busybox"], "an executor", () => {
  let state: ReturnType<typeof temporaryDirectory>;
  let place: ReturnType<typeof temporaryDirectory>;
  let root: string;
  beforeAll(() => {
    state = temporaryDirectory();
  });
  afterAll(() => state[Symbol.dispose]());
  beforeEach(() => {
    place = temporaryDirectory();
    root = makeRoot(join(place.path, "root"));
  });
  afterEach(() => place[Symbol.dispose]());

  describe.each(runtimes)("with %s", (runtime) => {
    let executor: Executor;
    beforeAll(async () => {
      executor = await openExecutor({ stateDir: state.path, runtime });
    });
    afterAll(async () => await executor[Symbol.asyncDispose]());

    const shell = (command: string, more: Parameters<typeof runShell>[3] = {}) =>
      runShell(executor, overlayOn(root).mounts, command, more);
    const failureOf = async (command: string, more: Parameters<typeof runShell>[3] = {}) => {
      const error = await shell(command, more).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      if (!isKilnError(error)) throw new Error(`expected a KilnError, got ${error}`);
      return error;
    };

    it("passes on what the step writes, by stream and without losing any of it", async () => {
      const run = await shell("seq 1 200000; echo done >&2");
      expect(run.stdout.split("\n")).toHaveLength(200_001);
      expect(run.stderr).toBe("done\n");
    });

    it("lets the step open its standard streams by name, whoever it is", async () => {
      const run = await shell("echo out > /dev/stdout; echo err > /dev/stderr", {
        process: { user: "1000:1000" },
      });
      expect(run).toMatchObject({ stdout: "out\n", stderr: "err\n" });
    });

    it("gives the step exactly three file descriptors", async () => {
      expect((await shell("ls /proc/1/fd; true")).stdout).toBe("0\n1\n2\n");
    });

    it("gives the step Docker's default capabilities, none inheritable, and a system call filter", async () => {
      const { stdout } = await shell("cat /proc/self/status");
      const field = (name: string) => new RegExp(`^${name}:\\s*(\\S+)$`, "m").exec(stdout)?.[1];
      expect(field("CapEff")).toBe("00000000a80425fb");
      expect(field("CapBnd")).toBe("00000000a80425fb");
      expect(field("CapInh")).toBe("0000000000000000");
      expect(field("CapAmb")).toBe("0000000000000000");
      expect(field("Seccomp")).toBe("2");
    });

    it("refuses what the filter forbids, though the kernel would allow it to anybody", async () => {
      const command = "busybox unshare -U true";
      expect((await failureOf(command)).details["exitCode"]).toBe(1);
      await shell(command, { process: { security: "insecure" } });
    });

    it.runIf(process.arch === "x64")(
      "answers calls that nobody knows as an older kernel does",
      async () => {
        // mov eax, CALL; syscall; neg eax; mov edi, eax; mov eax, 231 (exit_group); syscall
        const errorOf = async (call: string) => {
          const code = machineCode(`b8${call}0000 0f05 f7d8 89c7 b8e7000000 0f05`);
          const program = staticProgram({ bits: 64, machine: 62, flags: 0, code });
          writeFileSync(join(root, "bin/probe"), program, { mode: 0o755 });
          return (await failureOf("exec probe")).details["exitCode"];
        };
        expect(await errorOf("d301")).toBe(constants.errno.ENOSYS);
        expect(await errorOf("a500")).toBe(constants.errno.EPERM);
        // fchmodat2, without a path: younger than many a libseccomp, which crun is not left to rely on.
        if (runtime === "crun") expect(await errorOf("c401")).toBe(constants.errno.EFAULT);
      },
    );

    it("names the host, resolves names as the host does, and knows the extra hosts", async () => {
      const { stdout } = await shell(
        "cat /etc/hosts /proc/sys/kernel/hostname; cat /etc/resolv.conf",
        {
          process: { extraHosts: [{ host: "db", ip: "10.0.0.7" }] },
        },
      );
      expect(stdout).toContain("127.0.0.1\tlocalhost buildkitsandbox\n");
      expect(stdout).toContain("10.0.0.7\tdb\n");
      expect(stdout).toContain("\nbuildkitsandbox\n");
      expect(stdout).toContain(readFileSync("/etc/resolv.conf", "utf8"));
    });

    it("gives network none nothing but a loopback interface", async () => {
      const { stdout } = await shell("ls /sys/class/net; cat /sys/class/net/lo/flags", {
        process: { network: "none" },
      });
      expect(stdout).toBe("lo\n0x9\n");
    });

    it("has the environment it was given, a PATH, and HOME from passwd", async () => {
      mkdirSync(join(root, "etc"));
      writeFileSync(
        join(root, "etc/passwd"),
        "root:x:0:0::/root:/bin/sh\napp:x:7:8::/home/app:/bin/sh\n",
      );
      writeFileSync(join(root, "etc/group"), "app:x:8:\nextra:x:9:app\n");
      const { stdout } = await shell("env | sort; id", {
        process: { env: ["A=1", "B=x y"], user: "app" },
      });
      expect(stdout).toContain("A=1\nB=x y\nHOME=/home/app\n");
      expect(stdout).toContain(
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n",
      );
      expect(stdout).toMatch(/uid=7\(app\) gid=8\(app\) groups=8\(app\),9\(extra\)/);
    });

    it("makes a working directory that the image lacks, and leaves it there", async () => {
      const overlay = overlayOn(root);
      await runShell(executor, overlay.mounts, "echo here > file", { process: { cwd: "/a/b" } });
      expect(readFileSync(join(overlay.upper, "a/b/file"), "utf8")).toBe("here\n");
    });

    it("tells a bad exit in the reference's words", async () => {
      const error = await failureOf("exit 3");
      expect(error.code).toBe("PROCESS_FAILED");
      expect(error.message).toBe(
        'process "/bin/sh -c exit 3" did not complete successfully: exit code: 3',
      );
      expect(error.details["exitCode"]).toBe(3);
    });

    it("takes other exit codes for success when told so", async () => {
      const { call } = recorder();
      const process = processOf(["/bin/sh", "-c", "exit 3"], { validExitCodes: [3] });
      await expect(executor.run(process, overlayOn(root).mounts, [], call)).resolves.toMatchObject({
        exitCode: 3,
      });
    });

    it("says which program is missing", async () => {
      const { call } = recorder();
      const run = executor.run(processOf(["gss", "-v"]), overlayOn(root).mounts, [], call);
      await expect(run).rejects.toMatchObject({
        code: "PROCESS_FAILED",
        message:
          'process "gss -v" did not complete successfully: exec: "gss": executable file not found in $PATH',
        details: { exitCode: 127 },
      });
    });

    it("kills everything at once when the call is aborted", async () => {
      const controller = new AbortController();
      const { call, result } = recorder(controller.signal);
      const process = processOf(["/bin/sh", "-c", "(sleep 3611 &) ; echo up; sleep 3611"]);
      const run = executor.run(process, overlayOn(root).mounts, [], call);
      await expect.poll(() => result().stdout).toBe("up\n");
      controller.abort(new Error("enough"));
      await expect(run).rejects.toThrow("enough");
      await expect.poll(() => processesWith("3611")).toEqual([]);
    });

    it("leaves no process behind that a step started in the background", async () => {
      await shell("(sleep 3612 &); true");
      await expect.poll(() => processesWith("3612")).toEqual([]);
    });

    it("leaves nothing in the layer of a step that does nothing", async () => {
      mkdirSync(join(root, "etc"));
      utimesSync(join(root, "etc"), 1000, 1000);
      const overlay = overlayOn(root);
      await runShell(executor, overlay.mounts, "test -s /etc/hosts && touch /dev/shm/x", {
        mounts: [{ target: "/a/b/c", readonly: false, what: { type: "tmpfs" } }],
      });
      expect(listing(overlay.upper)).toEqual(["etc"]);
      expect(lstatSync(join(overlay.upper, "etc")).mtimeMs).toBe(1_000_000);
    });

    it("keeps what a step made of a mount point's surroundings", async () => {
      const overlay = overlayOn(root);
      await runShell(executor, overlay.mounts, "echo x > /run/kept", {
        mounts: [{ target: "/run/secrets/one", readonly: true, what: secret("s3cret") }],
      });
      expect(listing(overlay.upper)).toEqual(["run", "run/kept"]);
    });

    it("mounts into a root that the step sees read-only", async () => {
      const overlay = overlayOn(root);
      const script = "touch /x 2>/dev/null || echo no; touch /new/y && echo yes";
      const { stdout } = await runShell(executor, overlay.mounts, script, {
        process: { readonlyRoot: true },
        mounts: [{ target: "/new", readonly: false, what: { type: "tmpfs" } }],
      });
      expect(stdout).toBe("no\nyes\n");
    });

    it("gives a terminal its size, at the start and later", async () => {
      let said = "";
      let control: ProcessControl | undefined;
      const until = 'while [ "$(stty size)" != "$1" ]; do sleep 0.02; done; echo "has $1"';
      await runShell(executor, overlayOn(root).mounts, "", {
        process: {
          args: ["sh", "-c", `${until}; shift; ${until}`, "sh", "31 71", "33 77"],
          io: {
            terminal: { rows: 31, columns: 71 },
            started: (one) => {
              control = one;
            },
            output: (_stream, data) => {
              said += new TextDecoder().decode(data);
              if (said.includes("has 31 71")) control?.resize({ rows: 33, columns: 77 });
            },
          },
        },
      });
      expect(said).toBe("has 31 71\r\nhas 33 77\r\n");
    });

    it("does not follow a link that a step put in a mount point's way", async () => {
      const canary = join(place.path, "canary");
      mkdirSync(join(canary, "one"), { recursive: true });
      const overlay = overlayOn(root);
      await runShell(executor, overlay.mounts, `mv /run /gone; ln -s ${canary} /run`, {
        mounts: [{ target: "/run/one", readonly: false, what: { type: "tmpfs" } }],
      });
      expect(existsSync(join(canary, "one"))).toBe(true);
      expect(lstatSync(join(overlay.upper, "run")).isSymbolicLink()).toBe(true);
    });

    it("shows secrets with their owner and mode, read-only", async () => {
      const { stdout } = await shell(
        "cat /run/s; stat -c '%a %u %g' /run/s; touch /run/s 2>/dev/null || echo no",
        {
          mounts: [
            {
              target: "/run/s",
              readonly: true,
              what: { ...secret("s3cret\n"), mode: 0o440, uid: 5, gid: 6 },
            },
          ],
        },
      );
      expect(stdout).toBe("s3cret\n440 5 6\nno\n");
    });

    it("mounts a directory below another mount, and writes through to it", async () => {
      const cache = join(place.path, "cache");
      mkdirSync(cache);
      await shell("echo x > /work/sub/file; touch /work/y", {
        mounts: [
          { target: "/work/sub", readonly: false, what: { type: "directory", path: cache } },
          { target: "/work", readonly: false, what: { type: "tmpfs", size: 1 << 20 } },
        ],
      });
      expect(readFileSync(join(cache, "file"), "utf8")).toBe("x\n");
    });

    it("mounts part of another snapshot, read-only, and no link leads out of it", async () => {
      const other = makeRoot(join(place.path, "other"));
      mkdirSync(join(other, "data"));
      writeFileSync(join(other, "data/file"), "from there\n");
      symlinkSync("/data", join(other, "link"));
      symlinkSync("../../../../../../etc", join(other, "evil"));
      const from = (selector: string) => ({
        type: "snapshot" as const,
        mounts: [{ type: "bind" as const, source: other, readonly: true }],
        selector,
      });
      const { stdout } = await shell("cat /mnt/file; touch /mnt/file 2>/dev/null || echo no", {
        mounts: [{ target: "/mnt", readonly: true, what: from("/link") }],
      });
      expect(stdout).toBe("from there\nno\n");
      const error = await failureOf("true", {
        mounts: [{ target: "/mnt", readonly: true, what: from("/evil") }],
      });
      expect(error.message).toContain("/evil does not exist");
    });

    it("lends a host's socket under another owner", async () => {
      const path = join(place.path, "agent");
      const server = createServer((socket) => socket.end("pong\n")).listen(path);
      const { stdout } = await shell(
        "stat -c '%F %a %u %g' /run/agent; busybox nc local:/run/agent < /dev/null || true",
        {
          mounts: [
            {
              target: "/run/agent",
              readonly: false,
              what: {
                type: "socket",
                connect: () => connect(path),
                mode: 0o600,
                uid: 5,
                gid: 6,
              },
            },
          ],
        },
      );
      server.close();
      expect(stdout).toContain("socket 600 5 6\n");
    });

    it.each([
      ["/proc", "link"],
      ["/dev", "link"],
      ["/sys", "file"],
    ])("refuses an image whose %s is a %s, and touches nothing through it", async (path, kind) => {
      const canary = join(place.path, "canary");
      mkdirSync(canary);
      writeFileSync(join(canary, "ptmx"), "alive");
      if (kind === "link") symlinkSync("../../../../../../../..".concat(canary), root + path);
      else writeFileSync(root + path, "");
      const error = await failureOf("true");
      expect(error.code).toBe("RUNTIME_FAILED");
      expect(error.message).toContain(`the image's ${path} is not a directory`);
      expect(readFileSync(join(canary, "ptmx"), "utf8")).toBe("alive");
    });

    it.each(["/proc/self/fd/7", "/proc/self/fd/9/../..", "/way/fd/8"])(
      "refuses the working directory %s",
      async (cwd) => {
        symlinkSync("/proc/self", join(root, "way"));
        const error = await failureOf("ls", { process: { cwd } });
        expect(error.message).toContain("lies in /proc");
      },
    );

    it("says which processor a program was built for when it is not one that runs here", async () => {
      rmSync(join(root, "bin/true"));
      writeFileSync(join(root, "bin/true"), elfHeader(0x1234), { mode: 0o755 });
      const { call } = recorder();
      const run = executor.run(processOf(["true"]), overlayOn(root).mounts, [], call);
      await expect(run).rejects.toMatchObject({
        code: "PROGRAM_FOREIGN",
        details: { found: "machine-4660" },
      });
    });

    it("refuses a platform that nothing here runs, before any work", async () => {
      const platform = { os: "linux", architecture: "sparc64" };
      await expect(executor.checkPlatform(platform, uncancelled)).rejects.toMatchObject({
        code: "EMULATOR_MISSING",
      });
    });

    it("lowers limits that it may not set, and says so", async () => {
      const ulimits = [
        { name: "nofile", soft: 100, hard: 200 },
        { name: "core", soft: 0, hard: 0 },
      ];
      const { stdout } = await shell("ulimit -Sn; ulimit -Hn; ulimit -c", { process: { ulimits } });
      expect(stdout).toBe("100\n200\n0\n");
      const wide = [{ name: "nofile", soft: 1 << 28, hard: 1 << 28 }];
      const { events } = await shell("true", { process: { ulimits: wide } }).catch(
        (error: unknown) => {
          // With CAP_SYS_RESOURCE the kernel's own limit (fs.nr_open) is what refuses it.
          expect(isKilnError(error, "RUNTIME_FAILED")).toBe(true);
          return { events: [{ type: "warning" }] };
        },
      );
      expect(events).toEqual([expect.objectContaining({ type: "warning" })]);
    });

    it.each(["", "1000"])(
      "gives insecure steps of user '%s' every capability there is, the devices for them, and no filter",
      async (user) => {
        const { stdout } = await shell("cat /proc/self/status; ls -l /dev/loop0 /dev/net/tun", {
          process: { security: "insecure", user },
        });
        const own = /^CapBnd:\s*(\S+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
        expect(stdout).toMatch(/brw-rw-rw-.* 7, +0 .*\/dev\/loop0$/m);
        expect(stdout).toMatch(/crw-rw-rw-.* 10, +200 .*\/dev\/net\/tun$/m);
        expect(/^CapEff:\s*(\S+)$/m.exec(stdout)?.[1]).toBe(own);
        expect(/^Seccomp:\s*(\S+)$/m.exec(stdout)?.[1]).toBe("0");
      },
    );

    it("refuses values that the types do not have", async () => {
      const security = "none" as "sandbox";
      await expect(shell("true", { process: { security } })).rejects.toThrow("unreachable");
      const network = "bridge" as "host";
      await expect(shell("true", { process: { network } })).rejects.toThrow("unreachable");
    });

    it("runs steps side by side", async () => {
      const roots = ["1", "2", "3", "4"].map((name) => makeRoot(join(place.path, name)));
      const runs = roots.map((one, index) =>
        runShell(executor, overlayOn(one).mounts, `echo ${index}; sleep 0.2`),
      );
      expect((await Promise.all(runs)).map(({ stdout }) => stdout)).toEqual([
        "0\n",
        "1\n",
        "2\n",
        "3\n",
      ]);
    });

    it("takes everything with it when the process is killed, steps and mounts", async () => {
      // Another run of these tests may have left some behind.
      const others = new Set(processesWith("3613"));
      const own = () => processesWith("3613").filter((pid) => !others.has(pid));
      const victim = spawn(
        process.execPath,
        ["--import", "tsx", join(import.meta.dirname, "executor-victim.ts"), runtime, place.path],
        { stdio: ["ignore", "pipe", "inherit"] },
      );
      const ended = new Promise((resolve) => victim.once("exit", resolve));
      await new Promise((resolve) => victim.stdout.once("data", resolve));
      expect(own()).not.toEqual([]);
      victim.kill("SIGKILL");
      await ended;
      await expect.poll(own, { timeout: 5000 }).toEqual([]);
      expect(readFileSync("/proc/self/mounts", "utf8")).not.toContain(place.path);
      expect(readdirSync(join(place.path, "state/run"))).toEqual([]);
    });

    it("leaves nothing in its work directory", async () => {
      await shell("true");
      const run = join(state.path, "run");
      const left = readdirSync(run).flatMap((name) =>
        readdirSync(join(run, name)).filter((one) => /^\d+$/.test(one)),
      );
      expect(left).toEqual([]);
    });
  });
});

function secret(text: string) {
  const data = new TextEncoder().encode(text);
  return { type: "file" as const, data, mode: 0o400, uid: 0, gid: 0 };
}

/** Everything below a directory, sorted. */
function listing(directory: string): string[] {
  return (readdirSync(directory, { recursive: true }) as string[]).sort();
}

function processesWith(argument: string): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => commandLine(pid).split("\0").includes(argument));
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}

function elfHeader(machine: number): Uint8Array {
  const file = new Uint8Array(64);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  new DataView(file.buffer).setUint16(18, machine, true);
  return file;
}
