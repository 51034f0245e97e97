// kiln binfmt on a table of handlers of the test's own, in a user namespace; the machine's is as it was.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { describeWith } from "../kit/needs.ts";

const kiln = resolve(import.meta.dirname, "../../bin/kiln");
const hostTable = "/proc/sys/fs/binfmt_misc";

/** Runs a shell script where `$M` is an empty table of handlers, and `kiln` is the built command. */
function withTable(script: string, mount = 'mount -t binfmt_misc none "$M" && ') {
  const env = { ...process.env, M: directory, NO_COLOR: "1" };
  const shell = `kiln() { ${kiln} "$@"; }\n${mount}${script}`;
  const run = spawnSync("unshare", ["-Urm", "sh", "-c", shell], { encoding: "utf8", env });
  return { status: run.status, stdout: run.stdout, stderr: run.stderr };
}

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "kiln-binfmt-"));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const possible = spawnSync(
  "unshare",
  ["-Urm", "sh", "-c", "mount -t binfmt_misc none /mnt && test -w /mnt/register"],
  { stdio: "ignore" },
);
const missing = possible.status === 0 ? [] : ["a binfmt_misc of a namespace's own (Linux 6.7)"];
if (missing.length > 0) console.warn(`skipped: kiln binfmt: missing here: ${missing.join(", ")}`);

describe.skipIf(missing.length > 0)("kiln binfmt", () => {
  describeWith(["bundle", "emulation"], "on a table of its own", () => {
    it("registers what is asked for, once, and says as JSON what there is", () => {
      const { status, stdout, stderr } = withTable(
        'kiln binfmt --mount "$M" --install arm64,linux/riscv64 >/dev/null && kiln binfmt --mount "$M" --install arm64',
      );
      expect(status, stderr).toBe(0);
      expect(stderr).toBe(
        "installing: arm64 OK\ninstalling: riscv64 OK\ninstalling: arm64 OK (already registered)\n",
      );
      const said = JSON.parse(stdout) as { supported: string[]; emulators: string[] };
      expect(said.emulators).toEqual(["qemu-aarch64", "qemu-riscv64"]);
      expect(said.supported).toEqual(expect.arrayContaining(["linux/arm64", "linux/riscv64"]));
    });

    it("registers with the flag that makes a handler work in containers", () => {
      const { stdout } = withTable(
        'kiln binfmt --mount "$M" --install arm64 >/dev/null 2>&1; cat "$M/qemu-aarch64"',
      );
      expect(/^flags: (.*)$/m.exec(stdout)?.[1]).toContain("F");
    });

    it("replaces a handler that does not work in containers", () => {
      const { stderr, stdout } = withTable(
        `printf '%s' ':qemu-aarch64:M::\\x7fELF\\x02\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\x00\\xb7\\x00::/bin/false:' > "$M/register" && kiln binfmt --mount "$M" --install arm64 >/dev/null; cat "$M/qemu-aarch64"`,
      );
      expect(stderr).toBe("installing: arm64 OK\n");
      expect(stdout).not.toContain("/bin/false");
    });

    it("removes by name, architecture and pattern; what is not there is no error", () => {
      const { status, stderr, stdout } = withTable(
        'kiln binfmt --mount "$M" --install all >/dev/null 2>&1; kiln binfmt --mount "$M" --uninstall arm64,qemu-arm,nothing >/dev/null; kiln binfmt --mount "$M" --uninstall "qemu-*" 2>/dev/null',
      );
      expect(status).toBe(0);
      expect(stderr).toBe(
        "uninstalling: qemu-aarch64 OK\nuninstalling: qemu-arm OK\nuninstalling: nothing not found\n",
      );
      expect((JSON.parse(stdout) as { emulators: string[] }).emulators).toEqual([]);
    });

    it("mounts the table where nothing shows it", () => {
      const { status, stdout } = withTable('kiln binfmt --mount "$M/new" --install arm64', "");
      expect(status).toBe(0);
      expect(stdout).toContain("qemu-aarch64");
    });

    it("fails with a code other than 0, in plain words", () => {
      expect(withTable('kiln binfmt --mount "$M" --install vax')).toMatchObject({
        status: 1,
        stderr: expect.stringContaining('unknown architecture "vax"'),
      });
      const refused = spawnSync(
        "setpriv",
        ["--reuid", "65534", "--clear-groups", kiln, "binfmt", "--uninstall", "qemu-aarch64"],
        { encoding: "utf8", env: { ...process.env, HOME: "/nonexistent" } },
      );
      expect(refused.status).toBe(1);
      expect(refused.stderr).toContain("BINFMT_FAILED");
    });

    it("leaves the machine's table as it was", () => {
      const before = readdirSync(hostTable);
      withTable('kiln binfmt --mount "$M" --install all; kiln binfmt --mount "$M" --uninstall all');
      expect(readdirSync(hostTable)).toEqual(before);
    });
  });
});
