// Scripts that call docker buildx look for its words and exit codes.
import { expect, it } from "vitest";
import { abortReason, KilnError } from "../../../base/index.ts";
import { fromStatus, StatusError, statusCodes } from "../../../remote/grpc/index.ts";
import { buildxFailure } from "./buildx-failure.ts";

const failed = fromStatus(
  new StatusError(
    statusCodes.UNKNOWN,
    'failed to solve: process "/bin/sh -c false" did not complete successfully: exit code: 1',
  ),
);
const mistake = new KilnError("DOCKERFILE_INVALID", "unknown instruction: FOO", {
  at: { file: "Dockerfile", line: 2, text: "FROM a\nFOO b\n" },
});

it.each([
  [
    "build",
    failed,
    'ERROR: failed to build: failed to solve: process "/bin/sh -c false" did not complete successfully: exit code: 1\n',
  ],
  [
    "bake",
    failed,
    'ERROR: failed to solve: process "/bin/sh -c false" did not complete successfully: exit code: 1\n',
  ],
  [
    "build",
    mistake,
    "Dockerfile:2\n--------------------\n   1 |     FROM a\n   2 | >>> FOO b\n   3 |     \n--------------------\nERROR: failed to build: failed to solve: unknown instruction: FOO\n",
  ],
  [
    "ls",
    new KilnError("BUILDER_NOT_FOUND", 'no builder "x" found', { hint: "See kiln ls" }),
    'ERROR: no builder "x" found\nhint: See docker buildx ls\n',
  ],
  [
    "build",
    new KilnError("FLAG_INVALID", 'invalid value "bad" for --progress: no such mode'),
    "ERROR: invalid progress mode bad\n",
  ],
])("%s: %s", (command, error, text) => {
  expect(buildxFailure(error, { command, byDocker: true })).toEqual({ text, exitCode: 1 });
});

it("mistakes of flags that buildx meets while it builds say so", () => {
  const early = new KilnError(
    "FLAG_INVALID",
    'invalid value "type=" for --output: type is required',
  );
  const late = new KilnError("FLAG_INVALID", "a directory is needed for a local output");
  const text = (error: KilnError) =>
    buildxFailure(error, { command: "build", byDocker: true })?.text;
  expect(text(early)).toBe("ERROR: type is required for output\n");
  expect(text(late)).toBe("ERROR: failed to build: dest is required for local exporter\n");
});

it("of several targets, the failed one is named", () => {
  const error = new KilnError("PROCESS_FAILED", "target one: no", {
    details: { said: "failed to solve: no", target: "one" },
  });
  expect(buildxFailure(error, { command: "bake", byDocker: true })?.text).toBe(
    "ERROR: target one: failed to solve: no\n",
  );
});

it("mistakes of bake files have HCL's places", () => {
  const at = { file: "b.hcl", line: 1, column: 3, endLine: 2, endColumn: 4, text: "a\nb\n" };
  const other = new KilnError("BAKE_INVALID", "y");
  const error = new KilnError("BAKE_INVALID", "x", { at, others: [other] });
  expect(buildxFailure(error, { command: "bake", byDocker: true })?.text).toMatch(
    /\nERROR: b\.hcl:1,3-2,4: x, and 1 other diagnostic\(s\)\n$/,
  );
});

it("a build that was given up says so, with exit code 130", () => {
  const error = abortReason("interrupted");
  expect(buildxFailure(error, { command: "build", byDocker: true })).toEqual({
    text: "ERROR: failed to build: failed to solve: Canceled: context canceled\n",
    exitCode: 130,
  });
});

it("flags that docker does not know are docker's to complain of", () => {
  const error = new KilnError("FLAG_INVALID", "unknown flag: --nope", { hint: "Run --help" });
  expect(buildxFailure(error, { command: "build", byDocker: true })).toEqual({
    text: "unknown flag: --nope\n\nRun --help\n",
    exitCode: 125,
  });
  expect(buildxFailure(error, { command: "build", byDocker: false })?.exitCode).toBe(1);
});

it("what should not have happened is told as what it is", () => {
  const error = new TypeError("x is not a function");
  expect(buildxFailure(error, { command: "build", byDocker: true })).toBeUndefined();
});
