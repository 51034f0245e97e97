import { expect, it } from "vitest";
import { quoteGo } from "../../base/index.ts";
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
  expect(processFailed({ ...crashed, emulator: "qemu-arm 9.2" }).hint).toContain("qemu-arm 9.2");
  expect(processFailed(crashed).hint).toBeUndefined();
  expect(
    processFailed({ args: ["x"], exitCode: 1, emulator: "qemu-arm 9.2" }).hint,
  ).toBeUndefined();
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
