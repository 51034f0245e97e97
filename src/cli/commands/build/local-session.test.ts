// What the session of this machine refuses before a build begins.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createLocalSession } from "./local-session.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "kiln-local-session-"));
  writeFileSync(join(directory, "file"), "precious");
});
afterEach(() => rmSync(directory, { recursive: true }));

function sessionTo(dest: string): ReturnType<typeof createLocalSession> {
  const receiver = { type: "local", dest: join(directory, dest), unpack: true, replace: false };
  return createLocalSession({
    directories: new Map(),
    layouts: new Map(),
    uploads: new Map(),
    secrets: new Map(),
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
