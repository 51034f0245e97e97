// Steps for another processor: programs written as machine code, so that nothing has to be downloaded.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Executor, openExecutor } from "../../src/engine/executor/index.ts";
import { initProgram } from "../../src/engine/executor/programs/init-program.ts";
import { machineCode, staticProgram } from "../../src/engine/executor/programs/static-program.ts";
import { describeWith } from "../kit/needs.ts";
import { overlayOn, processOf, recorder, temporaryDirectory } from "./executor-kit.ts";

const arm64 = (code: string) =>
  staticProgram({ bits: 64, machine: 183, flags: 0, code: machineCode(code) });

// mov x0, #7; mov x8, #93 (exit); svc 0
const exitWith7 = arm64("e00080d2 a80b80d2 010000d4");
// mov x0, #0; ldr x1, [x0]
const crash = arm64("000080d2 010040f9");

describeWith(["root", "runtime", "emulation"], "emulated steps", () => {
  const place = temporaryDirectory();
  const root = join(place.path, "root");
  let executor: Executor;
  beforeAll(async () => {
    mkdirSync(join(root, "bin"), { recursive: true });
    const put = (name: string, program: Uint8Array) =>
      writeFileSync(join(root, "bin", name), program, { mode: 0o755 });
    put("seven", exitWith7);
    put("crash", crash);
    put("init", initProgram("arm64") ?? new Uint8Array());
    executor = await openExecutor({ stateDir: join(place.path, "state") });
  });
  afterAll(async () => {
    await executor[Symbol.asyncDispose]();
    place[Symbol.dispose]();
  });

  const run = (...args: string[]) => {
    const process = processOf(args, { platform: { os: "linux", architecture: "arm64" } });
    return executor.run(process, overlayOn(root).mounts, [], recorder().call);
  };

  it("end with the exit code of their program", async () => {
    await expect(run("seven")).rejects.toMatchObject({
      code: "PROCESS_FAILED",
      details: { exitCode: 7 },
    });
  });

  it("end when their program crashes, and name the emulator", async () => {
    await expect(run("/bin/crash")).rejects.toMatchObject({
      code: "EMULATOR_CRASHED",
      message: expect.stringMatching(
        /exit code: 139: a program crashed under the emulator qemu-aarch64 \d.*target signal 11/,
      ),
      hint: expect.stringContaining("$BUILDPLATFORM"),
      details: { exitCode: 139, signal: "SIGSEGV" },
    });
  });

  it("have a first process that passes on how a program ended, on this processor and the other", async () => {
    await expect(run("init", "/bin/seven", "seven")).rejects.toMatchObject({
      details: { exitCode: 7 },
    });
    await expect(run("init", "/bin/crash", "crash")).rejects.toMatchObject({
      details: { exitCode: 139 },
    });
    await expect(run("init", "/bin/gone", "gone")).rejects.toMatchObject({
      details: { exitCode: 126 },
    });
  });
});
