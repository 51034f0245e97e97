// The git source against a real git server (git daemon on loopback): refs, directories, submodules, hostile repositories.
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer as createHttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Session, StepCall } from "../../src/api/index.ts";
import { digestOf, uncancelled } from "../../src/base/index.ts";
import { createGitSource } from "../../src/engine/source/index.ts";
import {
  openOverlaySnapshotter,
  type Snapshotter,
  withMounted,
} from "../../src/storage/snapshot/index.ts";
import { commitFiles, type GitServer, openGitServer, runGit } from "../kit/git-server.ts";
import { describeWith } from "../kit/needs.ts";

describeWith(["root"], "the git source", () => {
  let directory: string;
  let port: number;
  let server: GitServer;
  let snapshotter: Snapshotter;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), "kiln-git-"));
    mkdirSync(join(directory, "served"));
    server = await openGitServer(join(directory, "served"));
    port = server.port;
    snapshotter = await openOverlaySnapshotter({ dir: join(directory, "snapshots") });
  });
  afterAll(async () => {
    server?.[Symbol.dispose]();
    await snapshotter?.[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true, force: true });
  });

  /** Names and contents of the files that the source gives. */
  const fetched = async (rest: string, attrs: Readonly<Record<string, string>> = {}) => {
    const source = createGitSource({ directory: join(directory, "git"), snapshotter });
    const remote = `git://127.0.0.1:${port}/${rest.split("#")[0]}`;
    const id = {
      scheme: "git",
      rest,
      attrs: { "git.fullurl": remote, ...attrs },
      platform: { os: "linux", architecture: "amd64" },
    };
    const resolved = await source.resolve(id, session, step);
    const snapshot = await resolved.fetch(step);
    if (!snapshot) throw new Error("no snapshot");
    const files = await withMounted(await snapshot.mounts(uncancelled), uncancelled, readTree);
    return { files, cacheKey: resolved.cacheKey, pin: resolved.pin };
  };

  it("fetches branches, tags and commits, and names the commit", async () => {
    const repository = server.repository("refs");
    const first = commitFiles(repository, { "a.txt": "one" }, "first");
    runGit(repository, "tag", "-a", "v1", "-m", "v1");
    const second = commitFiles(repository, { "a.txt": "two" }, "second");
    expect((await fetched("refs")).files).toEqual({ "a.txt": "two" });
    expect(await fetched("refs#v1")).toMatchObject({
      files: { "a.txt": "one" },
      pin: expect.stringContaining(first),
    });
    const tag = runGit(repository, "rev-parse", "v1").trim();
    for (const checksum of [first, tag])
      expect((await fetched("refs#v1", { "git.checksum": checksum })).pin).toContain(first);
    expect((await fetched("refs#main")).pin).toContain(second);
    expect((await fetched(`refs#${second}`)).files).toEqual({ "a.txt": "two" });
    expect((await fetched("refs#main")).cacheKey).toBe((await fetched(`refs#${second}`)).cacheKey);
  });

  it("fetches several commits of one remote at once, and after a git that was killed", async () => {
    const repository = server.repository("crowd");
    const commits = Array.from({ length: 12 }, (_, at) =>
      commitFiles(repository, { "a.txt": `${at}` }, `number ${at}`),
    );
    const results = await Promise.all(commits.map((commit) => fetched(`crowd#${commit}`)));
    expect(results.map(({ files }) => files["a.txt"])).toEqual(commits.map((_, at) => `${at}`));
    const last = commitFiles(repository, { "a.txt": "last" }, "last");
    for (const name of readdirSync(join(directory, "git"))) {
      if (name.startsWith(".")) continue;
      for (const lock of ["shallow.lock", "packed-refs.lock", `refs/kiln/${last}.lock`])
        writeFileSync(join(directory, "git", name, lock), "");
    }
    expect((await fetched(`crowd#${last}`)).files).toEqual({ "a.txt": "last" });
  });

  it("gives one directory, and refuses those that lead out of the repository", async () => {
    const repository = server.repository("subdir");
    mkdirSync(join(repository, "links"));
    symlinkSync("/etc", join(repository, "links/etc"));
    symlinkSync("../sub", join(repository, "links/sub"));
    commitFiles(repository, { "sub/b.txt": "b", "top.txt": "t" }, "all");
    expect((await fetched("subdir#main:sub")).files).toEqual({ "b.txt": "b" });
    expect((await fetched("subdir#:links/sub")).files).toEqual({ "b.txt": "b" });
    await expect(fetched("subdir#main:links/etc")).rejects.toThrow(/no directory/);
    await expect(fetched("subdir#main:../../../../etc")).rejects.toThrow(/no directory/);
    await expect(fetched("subdir#main:nowhere")).rejects.toThrow(/no directory "nowhere"/);
  });

  it("keeps .git only when asked to, with the name that was asked for", async () => {
    const repository = server.repository("kept");
    const commit = commitFiles(repository, { "a.txt": "a" }, "first");
    runGit(repository, "tag", "v1");
    const tagged = await fetched("kept#v1", { "git.keepgitdir": "true" });
    expect(tagged.files[".git/refs/tags/v1"]).toBe(`${commit}\n`);
    expect(Object.keys((await fetched("kept")).files)).toEqual(["a.txt"]);
    const kept = await fetched("kept#main", { "git.keepgitdir": "true" });
    expect(Object.keys(kept.files)).toContain(".git/HEAD");
    expect(kept.files[".git/refs/heads/main"]).toBe(`${commit}\n`);
    expect(kept.cacheKey).not.toBe(tagged.cacheKey);
    expect(kept.files[".git/config"]).toContain(`127.0.0.1:${port}/kept`);
    expect(JSON.stringify(kept.files)).not.toContain(directory);
  });

  it("brings submodules", async () => {
    commitFiles(server.repository("inner"), { "inner.txt": "i" }, "inner");
    const outer = server.repository("outer");
    runGit(outer, "submodule", "add", "-q", `git://127.0.0.1:${port}/inner`, "mod");
    commitFiles(outer, { "outer.txt": "o" }, "outer");
    const { files } = await fetched("outer");
    expect(files).toMatchObject({ "mod/inner.txt": "i", "outer.txt": "o" });
    expect(Object.keys(files)).not.toContain("mod/.git");
    expect(
      Object.keys((await fetched("outer", { "git.skipsubmodules": "true" })).files),
    ).not.toContain("mod/inner.txt");
  });

  it("brings no submodule from this machine's files, and none that is taken for an option", async () => {
    const secret = server.repository("secret");
    commitFiles(secret, { "secret.txt": "s" }, "secret");
    const pwned = join(directory, "pwned");
    for (const url of [`file://${secret}`, secret, `ext::sh -c touch% ${pwned}`, `-u${pwned}`]) {
      const outer = server.repository(`hostile-${digestOf(url).slice(7, 15)}`);
      const modules = `[submodule "mod"]\n\tpath = mod\n\turl = ${url}\n`;
      commitFiles(outer, { ".gitmodules": modules, "outer.txt": "o" }, "first");
      const head = runGit(secret, "rev-parse", "HEAD").trim();
      runGit(outer, "update-index", "--add", "--cacheinfo", `160000,${head},mod`);
      runGit(outer, "commit", "-qm", "submodule");
      await expect(fetched(basename(outer))).rejects.toMatchObject({ code: "GIT_FAILED" });
    }
    expect(existsSync(pwned)).toBe(false);
  });

  it("does not take what the checksum does not allow", async () => {
    const repository = server.repository("sum");
    const head = commitFiles(repository, { "a.txt": "a" }, "first");
    expect((await fetched("sum#main", { "git.checksum": head.slice(0, 12) })).files).toEqual({
      "a.txt": "a",
    });
    await expect(fetched("sum#main", { "git.checksum": "0".repeat(40) })).rejects.toThrow(
      /checksum/,
    );
  });

  it("gives files the commit's time when asked to", async () => {
    commitFiles(server.repository("times"), { "a.txt": "a" }, "first");
    const source = createGitSource({ directory: join(directory, "git"), snapshotter });
    const attrs = { "git.fullurl": `git://127.0.0.1:${port}/times`, "git.mtime": "commit" };
    const id = {
      scheme: "git",
      rest: "times",
      attrs,
      platform: { os: "linux", architecture: "amd64" },
    };
    const snapshot = await (await source.resolve(id, session, step)).fetch(step);
    const stat = (path: string) =>
      execFileSync("stat", ["-c", "%Y", path], { encoding: "utf8" }).trim();
    const time = await withMounted(
      (await snapshot?.mounts(uncancelled)) ?? [],
      uncancelled,
      (root) => stat(join(root, "a.txt")),
    );
    expect(time).toBe("1600000000");
  });

  it.each([
    [{ GIT_AUTH_TOKEN: "all" }, `basic ${btoa("x-access-token:all")}`],
    [{ GIT_AUTH_TOKEN: "all", GIT_AUTH_HEADER: "mine" }, "mine"],
    [
      { GIT_AUTH_HEADER: "all", "GIT_AUTH_TOKEN.HOST": "own" },
      `basic ${btoa("x-access-token:own")}`,
    ],
    [{ "GIT_AUTH_TOKEN.example.com": "other" }, undefined],
  ])("sends the secrets %j for its host", async (secrets: Record<string, string>, expected) => {
    const seen: (string | undefined)[] = [];
    const server = createHttpServer((request, response) => {
      seen.push(request.headers.authorization);
      response.writeHead(404).end();
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    const { port: at } = server.address() as AddressInfo;
    const url = `http://127.0.0.1:${at}/r.git`;
    const lent = (id: string) => secrets[id.replace(`127.0.0.1:${at}`, "HOST")];
    const asking: Session = {
      ...session,
      secret: async (id) => {
        const value = lent(id);
        return value === undefined ? undefined : new TextEncoder().encode(value);
      },
    };
    const attrs = {
      "git.fullurl": url,
      "git.authheadersecret": "GIT_AUTH_HEADER",
      "git.authtokensecret": "GIT_AUTH_TOKEN",
    };
    const platform = { os: "linux", architecture: "amd64" };
    const source = createGitSource({ directory: join(directory, "git"), snapshotter });
    const id = { scheme: "git", rest: url.slice(7), attrs, platform };
    await expect(source.resolve(id, asking, step)).rejects.toMatchObject({ code: "GIT_FAILED" });
    server.close();
    expect(seen[0]).toBe(expected);
  });

  it("takes nothing for an option, another protocol or a ref that is none", async () => {
    await expect(fetched("x", { "git.fullurl": "ext::sh -c touch% /tmp/pwned" })).rejects.toThrow(
      /not a URL/,
    );
    await expect(fetched("x", { "git.fullurl": "file:///etc" })).rejects.toThrow(/not a URL/);
    await expect(fetched("x", { "git.fullurl": "--upload-pack=touch" })).rejects.toThrow(
      /not a URL/,
    );
    await expect(fetched("x#--upload-pack=touch")).rejects.toThrow(/not a git ref/);
    await expect(fetched("refs#nothing")).rejects.toThrow(/no branch or tag "nothing"/);
    await expect(fetched("absent")).rejects.toThrow(/absent/);
  });
});

const session: Session = {
  files() {
    throw new Error("not lent");
  },
  directory: () => undefined,
  async receive() {},
  secret: async () => undefined,
  ssh: async () => undefined,
  credentials: async () => undefined,
};

const step: StepCall = { ...uncancelled, step: digestOf("test"), emit() {} };

function readTree(root: string): Record<string, string> {
  const files: Record<string, string> = {};
  const visit = (at: string) => {
    for (const entry of readdirSync(join(root, at), { withFileTypes: true })) {
      const path = at === "" ? entry.name : `${at}/${entry.name}`;
      if (entry.isDirectory()) visit(path);
      else if (entry.isFile() && existsSync(join(root, path)))
        files[path] = readFileSync(join(root, path), "utf8");
    }
  };
  visit("");
  return files;
}
