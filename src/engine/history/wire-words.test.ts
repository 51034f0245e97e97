// What clients are told is what BuildKit says; Kiln's own words go along for a Kiln on the other side.
import { expect, it } from "vitest";
import { type ErrorCode, KilnError, type KilnErrorOptions } from "../../base/index.ts";
import { rpcDetails } from "../../formats/proto/index.ts";
import { wireError } from "./wire-errors.ts";

const at = { file: "Dockerfile", line: 3, text: "" };

it.each<[ErrorCode, string, KilnErrorOptions, string]>([
  [
    "DOCKERFILE_INVALID",
    "unknown flag: --chwn",
    { at, details: { instruction: 1 }, hint: "Did you mean --chown?" },
    "dockerfile parse error on line 3: unknown flag: --chwn (did you mean chown?)",
  ],
  [
    "DOCKERFILE_INVALID",
    'target stage "a" could not be found',
    { hint: 'Did you mean "b c"?' },
    'target stage "a" could not be found (did you mean b c?)',
  ],
  [
    "DOCKERFILE_INVALID",
    "invalid network mode",
    { hint: "Use one of default, none." },
    "invalid network mode",
  ],
  [
    "PLATFORM_NOT_OFFERED",
    "x.io/a:1 is not offered for linux/s390x, only for linux/amd64",
    {},
    "failed to resolve source metadata for x.io/a:1: no match for platform in manifest: not found",
  ],
  [
    "HTTP_FAILED",
    "downloading http://x.io/a: the server of y.io answered 404 Not Found",
    {},
    "failed to load cache key: invalid response status 404",
  ],
  [
    "CHECKSUM_MISMATCH",
    "http://x.io/a has checksum sha256:1, not sha256:2",
    {},
    "digest mismatch sha256:1: sha256:2",
  ],
  [
    "GIT_FAILED",
    'http://x.io/a.git has no branch or tag "v1"',
    {},
    'failed to load cache key: repository does not contain ref v1, output: ""',
  ],
  [
    "GIT_FAILED",
    "http://x.io/a.git: v1 is commit 0a, not 0b as the checksum demands",
    {},
    "expected checksum to match 0b, got 0a",
  ],
  [
    "GIT_FAILED",
    'http://x.io/a.git#0a has no directory "b"',
    {},
    'invalid subdir /b: failed to lstat "b": no such file or directory',
  ],
  [
    "EXPORT_FAILED",
    "p of linux/arm64 would be overwritten by that of linux/amd64",
    {},
    "cannot overwrite p from linux/arm64 with linux/amd64 when split option is disabled",
  ],
  [
    "UNSUPPORTED",
    "an archive for docker load holds one platform only",
    {},
    "docker exporter does not currently support exporting manifest lists",
  ],
  [
    "FLAG_INVALID",
    "an image of one platform has no index to annotate",
    {},
    "index annotations not supported for single platform export",
  ],
  [
    "SECRET_NOT_FOUND",
    "secret a: not found: it was not given to this build",
    {},
    "secret a: not found",
  ],
  [
    "SSH_FAILED",
    'no SSH agent "default" was offered to this build',
    {},
    'no SSH key "" forwarded from the client',
  ],
  ["UNSUPPORTED", 'there is no output type "x"', {}, 'exporter "x" could not be found'],
  ["UNSUPPORTED", 'there is no cache type "x"', {}, 'unknown cache exporter: "x"'],
  [
    "DOCKERFILE_NOT_FOUND",
    "there is no a/b in the build context",
    {},
    "failed to read dockerfile: open a/b: no such file or directory",
  ],
  [
    "COPY_NOT_FOUND",
    '"/x": not found in the build context',
    { details: { vertex: "sha256:1" } },
    'failed to compute cache key: failed to calculate checksum of ref sha256:1: "/x": not found in the build context',
  ],
  [
    "IMAGE_NOT_FOUND",
    "docker.io/library/x:1: the registry has no such image",
    {},
    "failed to resolve source metadata for docker.io/library/x:1: docker.io/library/x:1: not found",
  ],
  [
    "DOCKERFILE_INVALID",
    "unknown instruction: X",
    { at, details: { instruction: 1 } },
    "dockerfile parse error on line 3: unknown instruction: X",
  ],
  ["DOCKERFILE_INVALID", "target stage x", { at }, "target stage x"],
  [
    "HTTP_FAILED",
    "downloading http://a/b: the server answered 404 Not Found",
    {},
    "failed to load cache key: invalid response status 404",
  ],
  ["CHECKSUM_MISMATCH", "http://a/b has checksum x:1, not x:2", {}, "digest mismatch x:1: x:2"],
  [
    "GIT_FAILED",
    'http://a has no branch or tag "x"',
    {},
    'failed to load cache key: repository does not contain ref x, output: ""',
  ],
  [
    "GIT_FAILED",
    "http://a: main is commit 12, not 34 as the checksum demands",
    {},
    "expected checksum to match 34, got 12",
  ],
  [
    "BLOB_CORRUPT",
    "a is x:1, not x:2 as was demanded",
    {},
    "failed to load cache key: image digest x:1 for a does not match expected checksum x:2",
  ],
  [
    "PLATFORM_NOT_OFFERED",
    "a is not offered for linux/b, only for linux/c",
    {},
    "failed to resolve source metadata for a: no match for platform in manifest: not found",
  ],
  [
    "UNSUPPORTED",
    "no source for foo://bar",
    {},
    "failed to load cache key: unknown scheme foo: not found",
  ],
])("%s: %s", (code, ours, options, theirs) => {
  const { code: number, message, details } = wireError(new KilnError(code, ours, options));
  // Clients print the names of other codes before the message.
  expect([number, message]).toEqual([2, theirs]);
  const told = rpcDetails.ErrorInfo.decode(details.at(-1)?.value ?? new Uint8Array());
  expect(told.metadata.get("message") ?? message).toBe(ours);
});

it("a process that ended badly tells its exit code to clients that look for it", () => {
  const { details } = wireError(new KilnError("PROCESS_FAILED", "x", { details: { exitCode: 7 } }));
  const [exit] = details;
  expect(exit?.typeUrl).toBe("github.com/moby/buildkit/gatewayapi.ExitMessage+json");
  expect(new TextDecoder().decode(exit?.value)).toBe('{"Code":7}');
});

it("what clients know by its code keeps it", () => {
  expect(wireError(new KilnError("REQUEST_INVALID", "x")).code).toBe(3);
  const unknown = new KilnError("UNSUPPORTED", "x", { details: { request: "frontend.none" } });
  expect(wireError(unknown).code).toBe(12);
});
