// What is qemu's last word, and what only looks like it.
import { expect, it } from "vitest";
import type { BuildEvent, StepCall } from "../../api/index.ts";
import { digestOf } from "../../base/index.ts";
import { listenForEmulator, readEmulatorLine } from "./emulator-words.ts";

it.each([
  ["qemu: uncaught target signal 11 (Segmentation fault) - core dumped", "program", 11],
  ["qemu: uncaught target signal 4 (Illegal instruction) - core dumped", "program", 4],
  [
    "qemu: Unable to find a guest_base to satisfy all guest address mapping requirements",
    "emulator",
  ],
  ["qemu-aarch64-static: Unable to reserve 0xfffff000 bytes of virtual address space", "emulator"],
  [
    "qemu-aarch64: ../../accel/tcg/cpu-exec.c:979: cpu_exec_loop: Assertion `x' failed.",
    "emulator",
  ],
  ["/usr/bin/qemu-arm: ../../linux-user/signal.c:31: die", "emulator"],
  ["QEMU internal SIGSEGV {code=MAPERR, addr=0x20}", "emulator"],
  [
    "ERROR:../../accel/tcg/cpu-exec.c:970:cpu_exec: assertion failed: (cpu == current_cpu)",
    "emulator",
  ],
  ["qemu: fatal: Illegal instruction: 0000 @ f7c13828", "emulator"],
])("knows %j", (line, by, signal?: number) => {
  expect(readEmulatorLine(line)).toEqual({ line, by, ...(signal ? { signal } : {}) });
});

it.each([
  "Setting up qemu-user-static (1:7.2) ...",
  "echo 'qemu: uncaught target signal 11 (Segmentation fault)'",
  "qemu-aarch64: warning: TCG doesn't support requested feature",
  "ERROR: failed to fetch https://example.com/tcg/x: code should not be reached",
])("does not take %j for it", (line) => {
  expect(readEmulatorLine(line)).toBeUndefined();
});

it("hears across pieces of output, passes all of it on, and does not listen to standard output", () => {
  const passed: BuildEvent[] = [];
  const call: StepCall = {
    signal: new AbortController().signal,
    step: digestOf("x"),
    emit: (event) => void passed.push(event),
  };
  const listening = listenForEmulator(call);
  const say = (stream: 1 | 2, text: string) =>
    listening.call.emit({
      type: "log",
      step: call.step,
      stream,
      data: new TextEncoder().encode(text),
      at: new Date(0),
    });
  say(1, "qemu: uncaught target signal 6 (Aborted) - core dumped\n");
  expect(listening.words()).toBeUndefined();
  say(2, "a\nqemu: uncaught tar");
  say(2, `get signal 11 (Segmentation fault) - core dumped\n${"x".repeat(5000)}`);
  expect(listening.words()).toMatchObject({ by: "program", signal: 11 });
  expect(passed).toHaveLength(3);
});
