// Git addresses and references as people write them.
import { describe, expect, it } from "vitest";
import {
  fragmentForm,
  gitSourceId,
  isGitTransport,
  parseGitReference,
  parseGitUrl,
} from "./index.ts";

function reference(text: string) {
  const parsed = parseGitReference(text);
  if (parsed.kind !== "git") throw new Error(`${text}: ${parsed.problem}`);
  return parsed.reference;
}

describe("a git reference", () => {
  it.each([
    ["https://example.org/a/b.git", "https://example.org/a/b.git", "", ""],
    ["https://example.org/a/b.git#main", "https://example.org/a/b.git", "main", ""],
    ["https://example.org/a/b.git#main:sub/dir", "https://example.org/a/b.git", "main", "sub/dir"],
    ["https://example.org/a/b.git#:sub", "https://example.org/a/b.git", "", "sub"],
    ["HTTPS://example.org/b.git", "https://example.org/b.git", "", ""],
    ["git://example.org/b#v1", "git://example.org/b", "v1", ""],
    ["git@example.org:a/b.git#v1:x", "git@example.org:a/b.git", "v1", "x"],
    ["ssh://git@example.org:2222/b.git", "ssh://git@example.org:2222/b.git", "", ""],
    ["github.com/a/b", "github.com/a/b", "", ""],
    ["https://example.org/b.git?tag=v1", "https://example.org/b.git", "refs/tags/v1", ""],
    [
      "https://example.org/b.git?branch=x&subdir=y",
      "https://example.org/b.git",
      "refs/heads/x",
      "y",
    ],
    ["https://example.org/b.git?ref=v1#v1:z", "https://example.org/b.git", "v1", "z"],
    ["git@example.org:b.git?subdir=d#v1", "git@example.org:b.git", "v1", "d"],
    ["https://[::1]:8443/b.git", "https://[::1]:8443/b.git", "", ""],
    ["https://example.org/a b.git", "https://example.org/a%20b.git", "", ""],
  ] as const)("%s", (text, remote, ref, subdir) => {
    expect(reference(text)).toMatchObject({ remote, ref, subdir });
  });

  it("carries the options of its query", () => {
    const text =
      "https://example.org/b.git?keep-git-dir&submodules=false&mtime=commit&fetch-by-commit&checksum=abc";
    expect(reference(text)).toMatchObject({
      keepGitDir: true,
      submodules: false,
      mtime: "commit",
      fetchByCommit: true,
      checksum: "abc",
    });
  });

  it.each([
    ["https://example.org/b.git?ref=a#b", "ref conflicts"],
    ["https://example.org/b.git?tag=a&branch=b", "branch conflicts with tag"],
    ["https://example.org/b.git?subdir=a#:b", "subdir conflicts"],
    ["https://example.org/b.git?other=1", "unexpected query"],
    ["https://example.org/b.git?ref=", "has no value"],
    ["https://example.org/b.git?ref=a&ref=b", "multiple values"],
    ["https://example.org/b.git?mtime=never", "invalid mtime"],
    ["https://example.org/b.git?submodules=maybe", "invalid submodules"],
  ])("%s contradicts itself", (text, problem) => {
    expect(parseGitReference(text)).toMatchObject({
      kind: "invalid",
      problem: expect.stringContaining(problem),
    });
  });

  it.each([
    "./b.git",
    "../b.git",
    "b.git",
    "/b.git",
    "https://example.org/b",
    "ftp://example.org/b.git",
    "https://exa mple/b.git",
    "https://example.org/%zz.git",
    "https://example.org/a\nb.git",
  ])("%s is none", (text) => {
    expect(parseGitReference(text).kind).toBe("not-git");
  });

  it("is written with a fragment again", () => {
    expect(fragmentForm(reference("https://example.org/b.git?tag=v1"))).toBe(
      "https://example.org/b.git#refs/tags/v1",
    );
    expect(fragmentForm(reference("https://example.org/b.git#:s"))).toBe(
      "https://example.org/b.git#:s",
    );
    expect(fragmentForm(reference("https://example.org/b.git"))).toBe("https://example.org/b.git");
  });
});

describe("a git address", () => {
  it("has parts", () => {
    expect(parseGitUrl("ssh://me:pw@example.org:22/a%20b?x=1&x=2#r")).toMatchObject({
      scheme: "ssh",
      user: "me:pw",
      host: "example.org:22",
      path: "/a b",
      query: new Map([["x", ["1", "2"]]]),
      fragment: { ref: "r", subdir: "" },
    });
  });

  it("is told by its protocol or by ssh's short form", () => {
    expect(isGitTransport("https://a")).toBe(true);
    expect(isGitTransport("me@host:path")).toBe(true);
    expect(isGitTransport("ftp://a")).toBe(false);
    expect(isGitTransport("host:path")).toBe(false);
  });

  it("has one identifier for all protocols", () => {
    const ids = [
      "https://example.org/a//b.git",
      "ssh://git@example.org/a/b.git",
      "git@example.org:a/b.git",
    ];
    for (const url of ids) expect(gitSourceId(url, "main", "x")).toBe("example.org/a/b.git#main:x");
    expect(gitSourceId("github.com/a/b", "", "")).toBe("github.com/a/b");
  });
});
