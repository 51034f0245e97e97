// kiln doctor on this machine: as it is, and with what builds need taken away.
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Finding } from "../../src/engine/doctor/index.ts";
import { describeWith } from "../kit/needs.ts";

const kiln = resolve(import.meta.dirname, "../../bin/kiln");

describeWith(["bundle", "runtime"], "kiln doctor", () => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), "kiln-doctor-"));
    chmodSync(directory, 0o755);
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  const run = (
    args: readonly string[] = [],
    more: Readonly<Record<string, string>> = {},
    before: readonly string[] = [],
  ) => {
    const env = {
      ...process.env,
      NO_COLOR: "1",
      KILN_ROOT: join(directory, "root"),
      DOCKER_CONFIG: directory,
      ...more,
    };
    const [program = "", ...rest] = [...before, kiln, "doctor", "--offline", ...args];
    return spawnSync(program, rest, { encoding: "utf8", env, input: "" });
  };
  const findings = (more: Readonly<Record<string, string>> = {}) => {
    const { stdout } = run(["--format", "json"], more);
    return (JSON.parse(stdout) as { findings: Finding[] }).findings;
  };

  it("finds that builds work where the other tests run", () => {
    const { status, stdout } = run();
    expect(stdout).toMatch(/Builds work here/);
    expect(status).toBe(0);
  });

  it("answers programs with the same findings, each with an id of its own", () => {
    const ids = findings().map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toEqual(
      expect.arrayContaining(["kernel", "runtime", "isolation", "userns", "binfmt", "disk"]),
    );
  });

  it("fails where something that builds need is missing, and gives the way out", () => {
    const file = join(directory, "config.json");
    writeFileSync(file, "{");
    try {
      const { status, stdout } = run();
      expect(status).toBe(1);
      expect(stdout).toContain("✖ Registry logins");
    } finally {
      rmSync(file);
    }
  });

  it("says where the store cannot be", () => {
    const before = ["setpriv", "--reuid", "65534", "--clear-groups"];
    if (process.getuid?.() !== 0) return;
    const { status, stdout } = run([], { KILN_ROOT: "/root/store", HOME: "/nonexistent" }, before);
    expect(stdout).toContain("which this user cannot write to");
    expect(status).toBe(1);
  });

  it("changes nothing without being told to, even with --fix", () => {
    const { status, stderr } = run(["--fix"]);
    // Either there is nothing to do, or there is nobody to ask.
    expect(stderr).toMatch(/nothing that can be put right|nobody to ask/);
    expect([0, 1]).toContain(status);
  });

  it("says who can put right what this user cannot", () => {
    if (process.getuid?.() !== 0) return;
    const before = ["setpriv", "--reuid", "65534", "--clear-groups"];
    const env = { KILN_ROOT: join(directory, "elsewhere"), HOME: "/nonexistent" };
    const { stdout, stderr } = run(["--fix"], env, before);
    expect(stdout).toMatch(/^ +# usermod --add-subuids/m);
    expect(stderr).toContain("needs root: run the commands after # above as root");
  });

  it("refuses a format that it does not know", () => {
    expect(run(["--format", "xml"]).stderr).toContain("Formats are pretty and json.");
  });
});
