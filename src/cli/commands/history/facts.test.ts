import { describe, expect, test } from "vitest";
import { buildName, buildPlaces } from "./facts.ts";

const from = (localPath: string, dockerfilePath = "") => ({
  target: "default",
  localPath,
  dockerfilePath,
});

describe("the name of a build", () => {
  test.each([
    ["its context's directory", {}, from("/src/app"), "app"],
    ["with its target", { target: "bin" }, from("/src/app"), "app (bin)"],
    ["the way to a Dockerfile inside", {}, from("/src/app", "/src/app/sub/Dockerfile"), "app/sub"],
    ["another file inside", {}, from("/src/app", "/src/app/x.Dockerfile"), "app/x.Dockerfile"],
    ["a Dockerfile elsewhere", {}, from("/src/app", "/other/dir/Dockerfile"), "dir"],
    ["a file elsewhere", {}, from("/src/app", "/other/dir/y.Dockerfile"), "dir/y.Dockerfile"],
    ["what it was given", { "build-arg:BUILDKIT_BUILD_NAME": "n" }, from("/src/app"), "n"],
    [
      "a remote context",
      { context: "https://x.test/r.git" },
      from("https://x.test/r.git"),
      "https://x.test/r.git",
    ],
    ["nothing, from standard input", {}, from("-"), ""],
    ["what version control says", { "vcs:source": "git@x.test:r" }, undefined, "git@x.test:r"],
    [
      "the Dockerfile's own name, where no path is known",
      { filename: "a/b.Dockerfile" },
      undefined,
      "a/b.Dockerfile",
    ],
  ])("is %s", (_what, attrs, origin, name) => {
    expect(buildName(attrs, origin)).toBe(name);
  });
});

test("places are written as they are seen from where one stands", () => {
  const origin = from("/src/app", "/src/app/sub/Dockerfile");
  expect(buildPlaces({}, origin, "/src")).toEqual({ context: "app", dockerfile: "sub/Dockerfile" });
  expect(buildPlaces({}, origin, "/src/app")).toEqual({
    context: ".",
    dockerfile: "sub/Dockerfile",
  });
  expect(buildPlaces({}, from("/src/app", "/x/Dockerfile"), "/elsewhere")).toEqual({
    context: "/src/app",
    dockerfile: "/x/Dockerfile",
  });
  expect(buildPlaces({ "vcs:localdir:context": "c" }, undefined, "/")).toEqual({
    context: "c",
    dockerfile: "Dockerfile",
  });
});
