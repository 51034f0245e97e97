// What the session of this machine refuses before a build begins.
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { uncancelled } from "../../../base/index.ts";
import type { SecretSpec } from "../../flags/index.ts";
import { createLocalSession } from "./local-session.ts";
import { checkSecrets } from "./sources.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "kiln-local-session-"));
  writeFileSync(join(directory, "file"), "precious");
});
afterEach(() => rmSync(directory, { recursive: true }));

function sessionTo(
  dest: string,
  secrets: readonly SecretSpec[] = [],
): ReturnType<typeof createLocalSession> {
  const receiver = { type: "local", dest: join(directory, dest), unpack: true, replace: false };
  return createLocalSession({
    directories: new Map(),
    layouts: new Map(),
    uploads: new Map(),
    secrets,
    agents: new Map(),
    receivers: [receiver],
    loaders: new Map(),
    env: {},
    credentials: { get: async () => undefined },
    stdout: { write: () => {} },
  } as unknown as Parameters<typeof createLocalSession>[0]);
}

it.each(["file", "file/below", "file/far/below"])("an output directory %s is refused", (dest) => {
  expect(() => sessionTo(dest)).toThrowError(
    expect.objectContaining({
      code: "FLAG_INVALID",
      message: expect.stringContaining("is a file"),
    }),
  );
});

it.each([".", "new", "new/below"])("an output directory %s is taken", (dest) => {
  expect(() => sessionTo(dest)).not.toThrow();
});

it("a secret in a pipe is read once, for all steps that want it", async () => {
  const pipe = join(directory, "pipe");
  execFileSync("mkfifo", [pipe]);
  const writer = spawn("sh", ["-c", 'printf hush >"$0"', pipe]);
  const secrets = checkSecrets([{ id: "s", src: "pipe" }], { cwd: directory, env: {} });
  const { secret } = sessionTo(".", secrets);
  for (let step = 0; step < 2; step++)
    expect(new TextDecoder().decode(await secret("s", uncancelled))).toBe("hush");
  expect(await secret("other", uncancelled)).toBeUndefined();
  writer.kill();
});

it.each([".", "none"])("a secret in %s is refused", (src) => {
  expect(() => checkSecrets([{ id: "s", src }], { cwd: directory, env: {} })).toThrowError(
    expect.objectContaining({ code: "FLAG_INVALID" }),
  );
});
