import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { hostPlatform } from "../../../formats/oci/index.ts";
import { exitCodeOf, statusProgram } from "../programs/status-program.ts";
import { isBindable, prootCommand } from "./proot-command.ts";

const view = {
  proot: "/usr/bin/proot",
  setpriv: "/usr/bin/setpriv",
  root: "/r",
  cwd: "/w",
  user: { uid: 1, gid: 2 },
  binds: [["/state/x", "/run/secrets/x"]],
  init: "/state/init",
  emulator: undefined,
  program: "/bin/sh",
  args: ["sh", "-c", "true"],
} as const;

it("native steps get the first process mounted, and all that they need by name", () => {
  const command = prootCommand(view).join(" ");
  expect(command).toMatch(/^\/usr\/bin\/setpriv --pdeathsig QUIT \/usr\/bin\/proot /);
  expect(command).toContain("-i 1:2 -r /r -w /w");
  expect(command).toContain("-b /state/x:/run/secrets/x!");
  expect(command).toMatch(/-b \/state\/init:(\S+)! \1 \/bin\/sh sh -c true$/);
  expect(command).not.toContain("-q");
});

it("emulated steps start the first process from outside", () => {
  const command = prootCommand({ ...view, emulator: "/usr/bin/qemu-arm-static" }).join(" ");
  expect(command).toMatch(/-q \/usr\/bin\/qemu-arm-static \/host-rootfs\/state\/init \/bin\/sh sh/);
});

it("paths that proot would misread are told", () => {
  expect(isBindable("/a b")).toBe(true);
  expect(isBindable("/a:b")).toBe(false);
  expect(isBindable("/a!")).toBe(false);
});

it("a status is an exit code, or 128 and the signal", () => {
  expect([0x0000, 0x0300, 0x0009, 0x008b].map(exitCodeOf)).toEqual([0, 3, 137, 139]);
});

const machine = hostPlatform(process.arch).architecture;

describe.runIf(statusProgram(machine) !== undefined)("the first process", () => {
  let directory: string;
  let path: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "kiln-status-"));
    path = join(directory, "init");
    writeFileSync(path, statusProgram(machine) ?? "", { mode: 0o755 });
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  function statusOf(
    script: string,
    env?: NodeJS.ProcessEnv,
  ): { readonly status: number; readonly output: string } {
    const told = join(directory, "status");
    const file = openSync(told, "w");
    try {
      const run = spawnSync(path, ["/bin/sh", "sh", "-c", script], {
        stdio: ["ignore", "pipe", "pipe", file],
        encoding: "utf8",
        ...(env === undefined ? {} : { env }),
      });
      const bytes = readFileSync(told);
      return { status: bytes.readInt32LE(0), output: run.stdout };
    } finally {
      closeSync(file);
    }
  }

  it("tells how the program ended", () => {
    expect(exitCodeOf(statusOf("exit 7").status)).toBe(7);
    expect(exitCodeOf(statusOf("kill -9 $$").status)).toBe(137);
    expect(exitCodeOf(statusOf("(sleep 0.2; exit 3) & exit 4").status)).toBe(4);
  });

  it("keeps the descriptor to itself, and the kernel looks old", () => {
    const { output } = statusOf("ls /proc/self/fd | wc -l; grep -i '^Seccomp:' /proc/self/status");
    // Three, and the directory that is being read.
    expect(output).toMatch(/^4\nSeccomp:\s+2\n$/);
  });

  it("keeps the first variables to itself, as many as it is told", () => {
    writeFileSync(path, statusProgram(machine, 2) ?? "", { mode: 0o755 });
    const env = { FIRST: "1", SECOND: "2", PATH: process.env["PATH"], LAST: "3" };
    const { output } = statusOf("env | grep -E '^(FIRST|SECOND|LAST)='", env);
    expect(output).toBe("LAST=3\n");
  });

  it("lets no program close its memory to proot, nor any trace others", () => {
    const script = `import ctypes, os
libc = ctypes.CDLL(None)
print(libc.prctl(3, 0, 0, 0, 0), libc.prctl(4, 0, 0, 0, 0), libc.prctl(3, 0, 0, 0, 0), libc.prctl(23, 19, 0, 0, 0))`;
    const python = spawnSync("python3", ["--version"]).status === 0;
    if (!python) return;
    const { output } = statusOf(`python3 -c '${script}'`);
    const mayDrop = process.getuid?.() === 0;
    expect(output).toMatch(mayDrop ? /^1 0 1 0\n$/ : /^1 0 1 [01]\n$/);
  });
});
