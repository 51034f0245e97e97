import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { checkProgram, explainProgram, findProgram } from "./program.ts";
import { exitProgram } from "./programs/exit-program.ts";

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "kiln-program-"));
  for (const one of ["bin", "usr/bin", "opt"]) mkdirSync(join(root, one), { recursive: true });
  const put = (path: string, data: Uint8Array | string) => {
    writeFileSync(join(root, path), data);
    chmodSync(join(root, path), 0o755);
  };
  put("usr/bin/tool", exitProgram("arm") ?? "");
  put("opt/script", "#!/bin/sh -e\n");
  put("opt/orphan", "#!/bin/bash\n");
  put("opt/text", "hello");
  put("opt/loop", "#!/opt/loop\n");
  symlinkSync("/usr/bin/tool", join(root, "bin/sh"));
  symlinkSync("/../../../../../../bin/sh", join(root, "opt/out"));
  writeFileSync(join(root, "opt/data"), "");
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

it.each([
  ["tool", { type: "elf", path: "/usr/bin/tool", binary: "/usr/bin/tool", architecture: "arm" }],
  ["/bin/sh", { type: "elf", path: "/bin/sh", binary: "/bin/sh", architecture: "arm" }],
  ["./script", { type: "elf", path: "/opt/script", binary: "/bin/sh", architecture: "arm" }],
  ["/opt/out", { type: "elf", path: "/opt/out", binary: "/opt/out", architecture: "arm" }],
  ["gss", { type: "missing", name: "gss" }],
  ["/opt/gss", { type: "missing", name: "/opt/gss" }],
  ["./orphan", { type: "missing", name: "/bin/bash" }],
  ["./data", { type: "denied", path: "/opt/data" }],
  ["/opt", { type: "denied", path: "/opt" }],
  ["./text", { type: "unknown", path: "/opt/text" }],
  ["./loop", { type: "unknown", path: "/opt/loop" }],
])("finds %s", (name, program) => {
  expect(findProgram(root, { name, search: "/usr/local/bin:/usr/bin:", cwd: "/opt" })).toEqual(
    program,
  );
});

it("names wanted and found architecture", () => {
  const program = findProgram(root, { name: "tool", search: "/usr/bin", cwd: "/" });
  const platform = { os: "linux", architecture: "arm64" };
  expect(() => checkProgram(program, platform, new Set(["arm64"]))).toThrow(
    "/usr/bin/tool is built for arm, the step runs as linux/arm64",
  );
  expect(() => checkProgram(program, platform, new Set(["arm64", "arm"]))).not.toThrow();
});

it("explains what cannot be started in the words that people know", () => {
  const explain = (name: string) =>
    explainProgram(findProgram(root, { name, search: "/bin", cwd: "/opt" }));
  expect(explain("gss")).toEqual({
    reason: 'exec: "gss": executable file not found in $PATH',
    exitCode: 127,
  });
  expect(explain("./data")?.reason).toBe('exec: "/opt/data": permission denied');
  expect(explain("./text")?.reason).toContain("exec format error");
  expect(explain("/bin/sh")).toBeUndefined();
});
