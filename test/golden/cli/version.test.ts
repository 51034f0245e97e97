// The script that starts Kiln answers what the program would.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, expect, it } from "vitest";
import { readPluginStart } from "../../../src/cli/commands/index.ts";
import { buildxVersion, kilnVersion } from "../../../src/cli/commands/version.ts";
import { runKiln } from "./world.ts";

const launcher = resolve(import.meta.dirname, "../../../bin/kiln");
const directory = mkdtempSync(join(tmpdir(), "kiln-version-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
for (const name of ["kiln", "docker-buildx", "docker-kiln"]) symlinkSync(launcher, join(directory, name));

/** What `name` says with a Node that does nothing but fail. */
function answer(name: string, words: readonly string[]): string {
  const env = { ...process.env, KILN_NODE: "false", asked: "nothing" };
  return execFileSync(join(directory, name), words, { encoding: "utf8", env, stdio: ["ignore", "pipe", "pipe"] });
}

it.each([
  ["kiln", ["version"]],
  ["kiln", ["--version"]],
  ["kiln", ["-v"]],
  ["docker-buildx", ["version"]],
  ["docker-buildx", ["buildx", "version"]],
  ["docker-buildx", ["buildx", "--version"]],
  ["docker-kiln", ["-v"]],
  ["docker-kiln", ["kiln", "version"]],
])("%s %j is answered without Node, in the program's words", async (name, words) => {
  const plugin = /^docker-(.*)/.exec(name)?.[1];
  const { argv, env } = readPluginStart(words, plugin === undefined ? {} : { KILN_PLUGIN: plugin });
  const { stdout } = await runKiln(argv, { env: env as Record<string, string> });
  expect(answer(name, words)).toBe(stdout);
});

it.each([
  ["kiln", ["version", "--help"]],
  ["kiln", ["version", ""]],
  ["docker-buildx", ["kiln", "version"]],
  ["docker-buildx", ["buildx", "version", "-v"]],
])("%s %j is the program's matter", (name, words) => {
  expect(() => answer(name, words)).toThrow();
});

it.each([
  ["docker-buildx", buildxVersion],
  ["docker-kiln", kilnVersion],
])("%s tells docker its version", (name, version) => {
  const metadata = JSON.parse(answer(name, ["docker-cli-plugin-metadata"])) as { Version: string };
  expect(metadata.Version).toBe(version);
});
