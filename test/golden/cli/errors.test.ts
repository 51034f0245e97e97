// Mistakes as people meet them: one file each, with what was typed, what was said, and how it ended.
import { join } from "node:path";
import { expect, it } from "vitest";
import { abortReason, KilnError } from "../../../src/base/index.ts";
import { runKiln, type Stage } from "./world.ts";

const dockerfile = "FROM busybox AS build\nRUN make\nFROM scratch\nCOPY --from=biuld /out /\n";
const files = { "app/Dockerfile": dockerfile };
const failing = (result: Error): Stage => ({ files, result });

const cases: [name: string, argv: string[], stage?: Stage][] = [
  ["unknown-command", ["biuld", "."]],
  ["unknown-subcommand", ["imagetools", "inspct", "alpine"]],
  ["unknown-flag", ["build", "--pltform", "linux/arm64", "."]],
  ["unknown-short-flag", ["build", "-x", "."]],
  ["flag-without-value", ["build", ".", "--tag"]],
  ["bad-boolean", ["build", "--push=maybe", "."]],
  ["no-context", ["build"]],
  ["two-contexts", ["build", "a", "b"]],
  ["context-missing", ["build", "ap"], { files }],
  ["context-is-file", ["build", "app/Dockerfile"], { files }],
  ["dockerfile-missing", ["build", "app"], { files: { "app/Dockerfile.dev": "" } }],
  ["dockerfile-in-context", ["build", "-f", "Dockerfile", "app"], { files }],
  ["dockerfile-missing-entirely", ["build", "app"], { files: { "app/": "" } }],
  ["push-without-tag", ["build", "--push", "app"], { files }],
  ["tag-upper-case", ["build", "-t", "registry.example.com/MyApp:1", "app"], { files }],
  ["platform-wrong", ["build", "--platform", "linux/amd64,amd65", "app"], { files }],
  ["output-unknown-type", ["build", "-o", "type=lokal,dest=out", "app"], { files }],
  ["output-to-terminal", ["build", "-o", "-", "app"], { files, stdoutIsTerminal: true }],
  ["docker-archive-of-two", ["build", "--platform=amd64,arm64", "-o", "type=docker,dest=a.tar", "app"], { files }],
  ["load-without-docker", ["build", "--load", "app"], { files, env: { DOCKER_HOST: "unix:///nowhere/docker.sock" } }],
  ["attest-without-type", ["build", "--attest=mode=max", "app"], { files }],
  ["secret-missing", ["build", "--secret", "id=a,src=nothing", "app"], { files }],
  ["progress-unknown", ["build", "--progress=tyt", "app"], { files }],
  ["network-unknown", ["build", "--network=bridge", "app"], { files }],
  ["everything-wrong", ["build", "-t", "A", "--platform=x", "--progress=y", "--push", "-o", "type=z", "nowhere"]],
  ["prune-without-force", ["prune"]],
  ["prune-bad-filter", ["prune", "-f", "--filter", "unitl=24h"]],
  ["du-bad-filter", ["du", "--filter", "until=yesterday"]],
  ["inspect-both", ["imagetools", "inspect", "--raw", "--format={{json .}}", "alpine"]],
  [
    "dockerfile-mistakes",
    ["build", "app"],
    failing(
      new KilnError("DOCKERFILE_INVALID", 'stage "biuld" does not exist', {
        hint: 'Did you mean "build"?',
        at: { file: "Dockerfile", line: 4, column: 13, endColumn: 18, text: dockerfile },
        others: [
          new KilnError("DOCKERFILE_INVALID", "RUN needs a shell", { at: { file: "Dockerfile", line: 2, text: dockerfile } }),
        ],
      }),
    ),
  ],
  [
    "run-failed",
    ["build", "app"],
    failing(
      new KilnError("PROCESS_FAILED", 'process "/bin/sh -c make" ended with exit code 2', {
        at: { file: "Dockerfile", line: 2, text: dockerfile },
        details: { exitCode: 2 },
      }),
    ),
  ],
  [
    "cause-chain",
    ["build", "app"],
    failing(
      new KilnError("REGISTRY_UNREACHABLE", "pushing to registry.example.com: the registry could not be reached", {
        cause: new Error("connect failed", { cause: new Error("ECONNREFUSED 127.0.0.1:443") }),
        hint: "Check that the registry runs.",
      }),
    ),
  ],
  ["disk-full", ["build", "app"], failing(new KilnError("DISK_FULL", "writing a layer: no space left on the disk"))],
  ["store-damaged", ["build", "app"], failing(new KilnError("BLOB_CORRUPT", "layer: expected 5 bytes, got 4"))],
  ["cancelled", ["build", "app"], failing(abortReason("interrupted"))],
];

it.each(cases)("%s", async (name, argv, stage) => {
  const { exitCode, stdout, stderr } = await runKiln(argv, stage);
  expect(exitCode).not.toBe(0);
  const text = `$ kiln ${argv.join(" ")}\n${stdout}${stderr}exit code ${exitCode}\n`;
  await expect(text).toMatchFileSnapshot(join(import.meta.dirname, "errors", `${name}.txt`));
});
