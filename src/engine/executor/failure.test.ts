import { expect, it } from "vitest";
import { quoteGo } from "../../base/index.ts";
import type { EmulatorWords } from "./emulator-words.ts";
import { processFailed, signalOf } from "./failure.ts";

it.each([
  ["plain", '"plain"'],
  ['say "hi" \\ now', '"say \\"hi\\" \\\\ now"'],
  ["a\tb\nc\u0007\u0001", '"a\\tb\\nc\\a\\x01"'],
  ["żółw 漢字 🔥", '"żółw 漢字 🔥"'],
  ["\u00a0\u200b", '"\\u00a0\\u200b"'],
])("quotes %j as Go does", (text, quoted) => {
  expect(quoteGo(text)).toBe(quoted);
});

it("words a failed step as the reference does", () => {
  const error = processFailed({ args: ["/bin/sh", "-c", "gss hello.c"], exitCode: 127 });
  expect(error.message).toBe(
    'process "/bin/sh -c gss hello.c" did not complete successfully: exit code: 127',
  );
  expect(error.hint).toContain("not found");
  expect(error.details).toEqual({ exitCode: 127 });
});

it("names the signal that an exit code stands for", () => {
  expect(signalOf(137)).toBe("SIGKILL");
  expect(signalOf(128)).toBeUndefined();
  expect(signalOf(255)).toBeUndefined();
  expect(processFailed({ args: ["x"], exitCode: 137 }).details).toEqual({
    exitCode: 137,
    signal: "SIGKILL",
  });
});

it("blames the emulator for a crash under emulation only", () => {
  const crashed = { args: ["x"], exitCode: 139 };
  const blamed = processFailed({ ...crashed, emulator: "qemu-arm 9.2" });
  expect(blamed.code).toBe("EMULATOR_CRASHED");
  expect(blamed.message).toContain(
    "exit code: 139: a program crashed under the emulator qemu-arm 9.2",
  );
  expect(processFailed(crashed).hint).toBeUndefined();
  expect(
    processFailed({ args: ["x"], exitCode: 1, emulator: "qemu-arm 9.2" }).hint,
  ).toBeUndefined();
});

it("knows by qemu's words of children that crashed, and whose fault it was", () => {
  const ending = { args: ["make"], exitCode: 2, emulator: "qemu-arm 9.2" };
  const by = (emulatorWords: EmulatorWords) => processFailed({ ...ending, emulatorWords });
  const line = "qemu: uncaught target signal 11 (Segmentation fault) - core dumped";
  const program = by({ line, by: "program", signal: 11 });
  expect(program.code).toBe("EMULATOR_CRASHED");
  expect(program.message).toContain(`exit code: 2: a program crashed`);
  const own = by({ line: "QEMU internal SIGSEGV", by: "emulator" });
  expect(own.hint).toContain("not your program");
  expect(own.details).toEqual({ exitCode: 2, emulator: "qemu-arm 9.2" });
  // A program that calls abort(3) means it.
  expect(by({ line: "qemu: uncaught target signal 6", by: "program", signal: 6 }).code).toBe(
    "PROCESS_FAILED",
  );
});

it("says that a step was killed for lack of memory, by its limit or by the machine", () => {
  const killed = { args: ["x"], exitCode: 137 };
  expect(processFailed({ ...killed, outOfMemory: "limit" }).message).toContain(
    "exit code: 137: killed for lack of memory, the step has reached its limit",
  );
  const other = { args: ["x"], exitCode: 2 };
  expect(processFailed({ ...other, outOfMemory: "limit" }).message).toContain("lack of memory");
  expect(processFailed({ ...killed, outOfMemory: "machine" }).message).toContain("the machine");
  // Somebody else may have been killed.
  expect(processFailed({ ...other, outOfMemory: "machine" }).message).not.toContain("memory");
});
