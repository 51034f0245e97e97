// Addresses of repositories: the forms, the fragment, the query, what is refused, and the identifier in LLB.
import { describe, expect, it } from "vitest";
import {
  fragmentForm,
  type GitReference,
  gitSourceId,
  isGitTransport,
  parseGitReference,
  parseGitUrl,
} from "./index.ts";

function read(text: string): GitReference {
  const parsed = parseGitReference(text);
  if (parsed.kind !== "git") throw new Error(`${text}: ${parsed.problem}`);
  return parsed.reference;
}

function problemOf(text: string): string {
  const parsed = parseGitReference(text);
  return parsed.kind === "git" ? `read as ${fragmentForm(parsed.reference)}` : parsed.problem;
}

describe("which texts are repositories", () => {
  it.each([
    ["https://example.com/team/app.git", "app"],
    ["http://example.com/team/app.git", "app"],
    ["git://example.com/team/app", "app"],
    ["ssh://git@example.com/team/app", "app"],
    ["git@example.com:team/app.git", "app"],
    ["deploy@10.0.0.7:srv/app", "app"],
    ["github.com/owner/name", "name"],
  ])("%s is one, called %s", (text, name) => {
    expect(read(text).shortName).toBe(name);
  });

  it.each([
    ["a directory", "app"],
    ["a relative path", "./app.git"],
    ["a path upwards", "../app.git"],
    ["an absolute path", "/srv/app.git"],
    ["a web page", "https://example.com/team/app"],
    ["a web page with a fragment", "https://example.com/team/app#main"],
    ["another protocol", "ftp://example.com/app.git"],
    ["a file", "file:///srv/app.git"],
    ["another old form", "gitlab.com/owner/name"],
    ["nothing", ""],
  ])("%s is none", (_, text) => {
    expect(parseGitReference(text).kind).toBe("not-git");
  });

  it("knows the old form as one that may be a path too", () => {
    expect(read("github.com/owner/name").indistinguishableFromLocal).toBe(true);
    expect(read("https://github.com/owner/name.git").indistinguishableFromLocal).toBe(false);
  });

  it("tells protocols that protect what is fetched from those that do not", () => {
    const open = ["http://e.org/a.git", "git://e.org/a.git", "https://e.org/a.git", "a@e.org:b"];
    expect(open.map((text) => read(text).unencryptedTcp)).toEqual([true, true, false, false]);
  });

  it("takes for transport whatever git could fetch, repository or not", () => {
    const texts = [
      "https://e.org/",
      "SSH://e.org/a",
      "me@e.org:a",
      "github.com/a/b",
      "svn://e.org",
    ];
    expect(texts.map(isGitTransport)).toEqual([true, true, true, false, false]);
  });
});

describe("the fragment", () => {
  it.each([
    ["", "", ""],
    ["#main", "main", ""],
    ["#release/1.2", "release/1.2", ""],
    ["#main:docs/guide", "main", "docs/guide"],
    ["#:docs", "", "docs"],
    ["#", "", ""],
    ["#refs/pull/7/head", "refs/pull/7/head", ""],
    ["#a:b:c", "a", "b:c"],
    ["#v1:/abs//x/", "v1", "abs/x"],
    ["#v1:a/../../etc", "v1", "etc"],
    ["#v1:..", "v1", ""],
  ])("%s is ref %j and directory %j", (fragment, ref, subdir) => {
    for (const remote of ["https://e.org/a.git", "git@e.org:a.git", "github.com/o/a"]) {
      expect(read(remote + fragment)).toMatchObject({ remote, ref, subdir });
    }
  });

  it("is written back as it was meant", () => {
    for (const text of ["https://e.org/a.git", "https://e.org/a.git#v1", "git@e.org:a.git#v1:x"]) {
      expect(fragmentForm(read(text))).toBe(text);
    }
    expect(fragmentForm(read("https://e.org/a.git?ref=v1&subdir=x"))).toBe(
      "https://e.org/a.git#v1:x",
    );
  });
});

describe("the query", () => {
  const of = (query: string) => read(`https://e.org/a.git?${query}`);

  it("names the ref in four ways", () => {
    expect(of("ref=v1").ref).toBe("v1");
    expect(of("branch=main").ref).toBe("refs/heads/main");
    expect(of("tag=v1").ref).toBe("refs/tags/v1");
    expect(of("tag=refs/tags/v1").ref).toBe("refs/tags/v1");
  });

  it("names a directory and a commit", () => {
    expect(of("subdir=docs").subdir).toBe("docs");
    expect(of("checksum=abc1234").checksum).toBe("abc1234");
    expect(of("commit=abc1234").checksum).toBe("abc1234");
  });

  it("switches by presence, and by words for yes and no", () => {
    expect(of("keep-git-dir").keepGitDir).toBe(true);
    expect(of("keep-git-dir=0").keepGitDir).toBe(false);
    expect(of("submodules=false").submodules).toBe(false);
    expect(of("submodules=1").submodules).toBe(true);
    expect(of("fetch-by-commit").fetchByCommit).toBe(true);
    expect(of("ref=v1")).not.toHaveProperty("keepGitDir");
  });

  it("says which time files get", () => {
    expect(of("mtime=commit").mtime).toBe("commit");
    expect(of("mtime=checkout").mtime).toBe("checkout");
    expect(of("ref=v1").mtime).toBe("");
  });

  it("is no part of the remote, and is read from the short form too", () => {
    expect(read("git@e.org:team/a.git?ref=v1&subdir=x")).toMatchObject({
      remote: "git@e.org:team/a.git",
      ref: "v1",
      subdir: "x",
    });
  });

  it("may repeat what the fragment says", () => {
    expect(read("https://e.org/a.git?ref=v1#v1").ref).toBe("v1");
  });

  it.each([
    ["another ref than the fragment", "ref=v1#v2", /ref conflicts/],
    ["another directory than the fragment", "subdir=a#:b", /subdir conflicts/],
    ["a tag and a ref", "tag=v1&ref=main", /ref conflicts/],
    ["a tag and a branch", "tag=v1&branch=main", /branch conflicts with tag/],
    ["an option twice", "ref=a&ref=b", /multiple values/],
    ["an option without its value", "ref=", /no value/],
    ["an option that does not exist", "depth=1", /unexpected query "depth"/],
    ["neither yes nor no", "submodules=perhaps", /invalid submodules value/],
    ["another time", "mtime=now", /invalid mtime value/],
  ])("refuses %s", (_, query, problem) => {
    const text = `https://e.org/a.git?${query}`;
    expect(parseGitReference(text).kind).toBe("invalid");
    expect(problemOf(text)).toMatch(problem);
  });

  it("is not taken for an option of the prototype", () => {
    expect(problemOf("https://e.org/a.git?constructor=1")).toMatch(/unexpected query/);
    expect(problemOf("https://e.org/a.git?__proto__=1")).toMatch(/unexpected query/);
  });
});

describe("the parts of an address", () => {
  it("keeps port and user", () => {
    expect(parseGitUrl("ssh://me@e.org:2222/srv/a.git")).toMatchObject({
      scheme: "ssh",
      host: "e.org:2222",
      path: "/srv/a.git",
      user: "me",
    });
  });

  it("writes the protocol in lower case", () => {
    expect(parseGitUrl("HTTPS://e.org/a.git")).toMatchObject({ remote: "https://e.org/a.git" });
  });

  it("resolves percent-encoding of the path", () => {
    expect(parseGitUrl("https://e.org/a%20b.git")).toMatchObject({ path: "/a b.git" });
  });

  it.each([
    ["an escape that is none", "https://e.org/a%zz.git"],
    ["a line break", "https://e.org/a\n.git"],
    ["a port that is no number", "https://e.org:ssh/a.git"],
    ["no protocol", "e.org/a.git"],
    ["a protocol that git is not given", "ext://sh"],
  ])("refuses %s", (_, text) => {
    expect(typeof parseGitUrl(text)).toBe("string");
  });
});

describe("the identifier of LLB's source", () => {
  it("is the same however the repository is reached", () => {
    const ways = ["https://e.org/t/a.git", "ssh://git@e.org/t/a.git", "git@e.org:t/a.git"];
    expect(new Set(ways.map((remote) => gitSourceId(remote, "v1", "x")))).toEqual(
      new Set(["e.org/t/a.git#v1:x"]),
    );
  });

  it("has no fragment where nothing is chosen, and an empty ref before a directory", () => {
    expect(gitSourceId("https://e.org/a.git", "", "")).toBe("e.org/a.git");
    expect(gitSourceId("https://e.org/a.git", "", "x")).toBe("e.org/a.git#:x");
  });

  it("is of the old form, too", () => {
    expect(gitSourceId("github.com/o/a", "main", "")).toBe("github.com/o/a#main");
  });
});
