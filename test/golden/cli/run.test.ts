// kiln run: what the engine is asked to run, and how the exit code comes back.
import { expect, it, test } from "vitest";
import { hostPlatform } from "../../../src/formats/oci/index.ts";
import type { RunImageRequest } from "../../../src/engine/engine.ts";
import { runKiln } from "./world.ts";

const platform = hostPlatform(process.arch);
const plain = {
  platform,
  pull: false,
  env: [],
  network: "default",
  entitlements: [],
  interactive: false,
  limits: {},
  mounts: [],
};

const cases: [string[], Record<string, unknown>][] = [
  [["alpine"], { reference: "alpine" }],
  [["--rm", "alpine", "ls", "--pull", "-e", "x"], { reference: "alpine", command: ["ls", "--pull", "-e", "x"] }],
  [["alpine", "--", "ls"], { reference: "alpine", command: ["--", "ls"] }],
  [["--", "alpine", "--rm"], { reference: "alpine", command: ["--rm"] }],
  [["--platform", "linux/arm/v7", "a"], { reference: "a", platform: { os: "linux", architecture: "arm", variant: "v7" } }],
  [["-e", "A=1", "-eHOME_DIR", "-e", "B=2=3", "a"], { reference: "a", env: ["A=1", "HOME_DIR=x", "B=2=3"] }],
  [["--entrypoint", "/bin/sh", "a", "-c", "ls"], { reference: "a", entrypoint: ["/bin/sh"], command: ["-c", "ls"] }],
  [["--entrypoint=", "a"], { reference: "a", entrypoint: [] }],
  [["-u", "1000:1000", "-w/src", "--network=none", "--pull=always", "a"], { reference: "a", user: "1000:1000", cwd: "/src", network: "none", pull: true }],
];
it.each(cases)("%j", async (argv, expected) => {
  const asked: RunImageRequest[] = [];
  const program = async (request: RunImageRequest) => {
    asked.push(request);
    return 0;
  };
  const { stderr } = await runKiln(["run", ...argv], { program, env: { HOME_DIR: "x" } });
  expect([stderr, asked]).toEqual(["", [{ ...plain, ...expected }]]);
});

test("the program's exit code is passed on", async () => {
  expect((await runKiln(["run", "a"], { program: async () => 42 })).exitCode).toBe(42);
});

test("a wrong platform is a mistake before anything runs", async () => {
  const { exitCode, stderr } = await runKiln(["run", "--platform=x", "a"]);
  expect([exitCode, stderr]).toEqual([1, expect.stringContaining("[PLATFORM_INVALID]")]);
});
