// Contexts that are fetched: which addresses are repositories, which are files, and what is refused.
import { describe, expect, it } from "vitest";
import { readDefinition, type State } from "../../llb/index.ts";
import { openRemoteContext } from "./main-context.ts";

const platform = { os: "linux", architecture: "amd64" };

function sourceOf(state: State): { identifier: string; attrs: Readonly<Record<string, string>> } {
  const { result } = readDefinition(state.marshal({ platform, localUniqueId: "x" }));
  if (result?.vertex.op.kind !== "source") throw new Error("no source");
  return result.vertex.op;
}

const open = (address: string, keepGitDir = false) => {
  const { kind, state } = openRemoteContext(address, { keepGitDir });
  return { ...sourceOf(state), kind };
};

describe("an address", () => {
  it.each([
    ["https://github.com/o/r.git", "git://github.com/o/r.git", "https://github.com/o/r.git"],
    [
      "https://github.com/o/r.git#v1:sub",
      "git://github.com/o/r.git#v1:sub",
      "https://github.com/o/r.git",
    ],
    ["https://x.org/r.git?branch=main", "git://x.org/r.git#refs/heads/main", "https://x.org/r.git"],
    ["git://x.org/r", "git://x.org/r", "git://x.org/r"],
    ["ssh://git@x.org/o/r", "git://x.org/o/r", "ssh://git@x.org/o/r"],
    ["git@github.com:o/r.git#v1", "git://github.com/o/r.git#v1", "git@github.com:o/r.git"],
    ["github.com/o/r", "git://github.com/o/r", "https://github.com/o/r"],
  ])("%s is a repository", (address, identifier, url) => {
    expect(open(address)).toMatchObject({
      kind: "git",
      identifier,
      attrs: { "git.fullurl": url },
    });
  });

  it("of http without .git is a file", () => {
    const { kind, identifier, attrs } = open("https://github.com/o/r");
    expect([kind, identifier]).toEqual(["file", "https://github.com/o/r"]);
    expect(attrs).toEqual({ "http.filename": "context" });
  });

  it.each([
    ["https://x.org/r.git?ref=a&tag=b", "ref conflicts"],
    ["https://x.org/r.git?nonsense=1", "unexpected query"],
    ["ftp://x.org/context.tar", "neither a repository nor a URL"],
  ])("%s is refused", (address, words) => {
    expect(() => open(address)).toThrow(words);
  });
});

describe("the .git directory", () => {
  it("stays where the build or the address asks for it, and the address wins", () => {
    const kept = (address: string, asked: boolean) =>
      open(address, asked).attrs["git.keepgitdir"] === "true";
    expect(kept("https://x.org/r.git", false)).toBe(false);
    expect(kept("https://x.org/r.git", true)).toBe(true);
    expect(kept("https://x.org/r.git?keep-git-dir=1", false)).toBe(true);
    expect(kept("https://x.org/r.git?keep-git-dir=0", true)).toBe(false);
  });
});
