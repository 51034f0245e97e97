// Help as people read it.
import { join } from "node:path";
import { expect, it, test } from "vitest";
import { runKiln } from "./world.ts";

const cases: [string, string[]][] = [
  ["help", ["--help"]],
  ["help-build", ["build", "--help"]],
  ["help-du", ["du", "--help"]],
  ["help-copy", ["copy", "--help"]],
  ["help-image", ["image"]],
  ["help-image-load", ["image", "load", "--help"]],
  ["help-imagetools-create", ["imagetools", "create", "--help"]],
  ["help-login", ["login", "--help"]],
  ["help-manifest", ["manifest"]],
  ["help-manifest-create", ["manifest", "create", "--help"]],
  ["help-imagetools", ["imagetools"]],
  ["help-imagetools-inspect", ["imagetools", "inspect", "--help"]],
  ["help-prune", ["prune", "--help"]],
  ["help-run", ["run", "--help"]],
  ["help-version", ["version", "--help"]],
];

it.each(cases)("%s", async (name, argv) => {
  const { stdout, stderr, exitCode } = await runKiln(argv);
  expect([stderr, exitCode]).toEqual(["", 0]);
  const tooWide = stdout.split("\n").filter((line) => line.length > 80 && !line.startsWith("  kiln "));
  expect(tooWide).toEqual([]);
  await expect(stdout).toMatchFileSnapshot(join(import.meta.dirname, `${name}.txt`));
});

const same: [string[], string[]][] = [
  [["help"], ["--help"]],
  [[], ["--help"]],
  [["-h"], ["--help"]],
  [["help", "build"], ["build", "--help"]],
  [["b", "-h"], ["build", "--help"]],
  [["build", "--nonsense", "--help"], ["build", "--help"]],
  [["help", "imagetools", "inspect"], ["imagetools", "inspect", "--help"]],
  [["imagetools", "help", "inspect"], ["imagetools", "inspect", "--help"]],
  [["imagetools", "--help"], ["imagetools"]],
  [["--help", "imagetools"], ["imagetools"]],
  [["--version"], ["version"]],
  [["-v"], ["version"]],
  [["--debug", "version"], ["version"]],
];
it.each(same)("%j is the same as %j", async (argv, other) => {
  expect((await runKiln(argv)).stdout).toBe((await runKiln(other)).stdout);
});

test("the version is one line", async () => {
  expect((await runKiln(["version"])).stdout).toMatch(/^kiln \d+\.\d+\.\d+\n$/);
});
