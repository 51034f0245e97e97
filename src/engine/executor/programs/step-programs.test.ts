// The machine code that steps are started with, run on the machine itself.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { hostPlatform } from "../../../formats/oci/index.ts";
import { StepPrograms } from "./step-programs.ts";

let directory: string;
let programs: StepPrograms;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "kiln-programs-"));
  programs = new StepPrograms(directory, hostPlatform(process.arch).architecture);
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function leashed(script: string) {
  const leash = programs.leash() ?? "";
  return spawnSync(leash, ["/bin/sh", "-c", script, "name", "argument"], {
    encoding: "utf8",
    env: { GIVEN: "variable" },
  });
}

it("hands arguments, environment and output on, and ends with the exit code", () => {
  const { status, stdout } = leashed('echo "$0 $1 $GIVEN"; exit 7');
  expect([status, stdout]).toEqual([7, "name argument variable\n"]);
});

it("tells the signal that ended what it held", () => {
  // The first process of a namespace gets no signal from itself that it does not handle, so a child of it dies.
  expect(leashed("(sh -c 'kill -9 $$'); exit $?").status).toBe(128 + 9);
});

it("tells that a program cannot be run", () => {
  const { status } = spawnSync(programs.leash() ?? "", ["/nowhere"]);
  expect(status).toBe(126);
});

it("takes what it holds along when it is killed, and passes an interrupt by", async () => {
  const leash = programs.leash() ?? "";
  const child = spawn(leash, ["/bin/sh", "-c", "echo on; sleep 1000"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  // The pipe is closed when nobody is left that could write to it.
  const closed = new Promise((resolve) => child.stdout.once("close", resolve));
  await new Promise((resolve) => child.stdout.once("data", resolve));
  child.kill("SIGINT");
  expect(child.exitCode).toBeNull();
  child.kill("SIGKILL");
  await closed;
});

it("reads all that a hook is told before it complains of a place that cannot be remounted", () => {
  const remount = programs.remount(["nodev", "ro"]) ?? "";
  const { status, error } = spawnSync(remount, [join(directory, "missing")], {
    input: "x".repeat(1 << 20),
  });
  expect([status, error]).toEqual([2, undefined]);
});

it("writes each program once, by what it does", () => {
  expect(programs.remount(["ro"])).toBe(programs.remount(["ro"]));
  expect(programs.remount(["ro"])).not.toBe(programs.remount(["nodev"]));
});

it("knows nothing of machines whose code nobody wrote", () => {
  const other = new StepPrograms(directory, "s390x");
  expect([other.leash(), other.remount(["ro"])]).toEqual([undefined, undefined]);
});
