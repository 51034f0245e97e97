// Signed commits and tags, made by the real programs: what is demanded of a git source is checked, or nothing is fetched.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Session, StepCall } from "../../src/api/index.ts";
import { digestOf, uncancelled } from "../../src/base/index.ts";
import { createGitSource } from "../../src/engine/source/index.ts";
import type { Snapshotter } from "../../src/storage/snapshot/index.ts";
import { commitFiles, type GitServer, openGitServer, runGit } from "../kit/git-server.ts";
import { describeWith } from "../kit/needs.ts";

const nobody = new Proxy({}, { get: () => () => undefined });
const step: StepCall = { ...uncancelled, step: digestOf("test"), emit() {} };

describeWith(["gpg", "ssh-keygen"], "a git source with a demand on signatures", () => {
  let directory: string;
  let server: GitServer;
  let repository: string;
  const keys: Record<string, string> = {};
  const commits: Record<string, string> = {};
  /** `git -c` settings by who signs. */
  const signers: Record<string, readonly string[]> = {};
  const home = () => join(directory, "gnupg");

  function makeGpgKey(name: string, algorithm: string, expires: string): void {
    const run = (...args: readonly string[]) =>
      execFileSync("gpg", ["--homedir", home(), "--batch", "--quiet", ...args], {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
      });
    const born = ["--faked-system-time", "20200101T000000"];
    run(
      ...born,
      "--passphrase",
      "",
      "--quick-gen-key",
      `${name} <${name}@t>`,
      algorithm,
      "sign",
      expires,
    );
    keys[name] = run("--armor", "--export", `${name}@t`);
    const program = join(directory, `gpg-${name}`);
    const command = `exec gpg --homedir ${home()} --faked-system-time 20200601T000000 "$@"`;
    writeFileSync(program, `#!/bin/sh\n${command}\n`, { mode: 0o755 });
    signers[name] = ["gpg.format=openpgp", `gpg.program=${program}`, `user.signingkey=${name}@t`];
  }

  function makeSshKey(name: string, ...type: readonly string[]): void {
    const file = join(directory, name);
    execFileSync("ssh-keygen", ["-q", "-N", "", "-C", name, "-f", file, "-t", ...type]);
    keys[name] = readFileSync(`${file}.pub`, "utf8");
    signers[name] = ["gpg.format=ssh", `user.signingkey=${file}.pub`];
  }

  const signed = (name: string, ...args: readonly string[]) =>
    runGit(repository, ...(signers[name] ?? []).flatMap((one) => ["-c", one]), ...args);

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), "kiln-signed-"));
    mkdirSync(join(directory, "served"));
    mkdirSync(home(), { mode: 0o700 });
    server = await openGitServer(join(directory, "served"));
    repository = server.repository("signed");
    makeGpgKey("pgp", "ed25519", "never");
    makeGpgKey("rsa", "rsa2048", "never");
    makeGpgKey("old", "ed25519", "1y");
    makeSshKey("ed", "ed25519");
    makeSshKey("rsa-ssh", "rsa", "-b", "2048");
    makeSshKey("nist", "ecdsa", "-b", "521");
    makeSshKey("weak", "rsa", "-b", "1024");
    const first = commitFiles(repository, { "a.txt": "a" }, "not signed");
    commits["plain"] = first;
    runGit(repository, "tag", "light");
    runGit(repository, "tag", "-a", "-m", "annotated", "unsigned-tag");
    for (const name of Object.keys(signers)) {
      signed(name, "commit", "-q", "--allow-empty", "-S", "-m", `signed by ${name} \u00fc`);
      commits[name] = runGit(repository, "rev-parse", "HEAD");
      signed(name, "tag", "-s", "-m", `tag of ${name}`, `tag-${name}`, first);
    }
    // The tag of a signed commit, itself signed by somebody else.
    signed("ed", "tag", "-s", "-m", "both", "both", commits["pgp"] ?? "");
  }, 60_000);
  afterAll(() => {
    server?.[Symbol.dispose]();
    execFileSync("gpgconf", ["--homedir", home(), "--kill", "all"], { stdio: "ignore" });
    rmSync(directory, { recursive: true, force: true });
  });

  const resolve = (ref: string, attrs: Readonly<Record<string, string>>, name = "signed") => {
    const snapshotter = nobody as Snapshotter;
    const source = createGitSource({ directory: join(directory, "git"), snapshotter });
    const remote = `git://127.0.0.1:${server.port}/${name}`;
    const id = {
      scheme: "git",
      rest: `127.0.0.1/${name}#${commits[ref] ?? ref}`,
      attrs: { "git.fullurl": remote, ...attrs },
      platform: { os: "linux", architecture: "amd64" },
    };
    return source.resolve(id, nobody as Session, step);
  };
  const refusal = (message: string) => ({
    code: "SIGNATURE_INVALID",
    message: expect.stringContaining(message),
  });
  const by = (name: string, ...more: readonly string[]) => ({
    "git.sig.pubkey": keys[name] ?? "",
    ...Object.fromEntries(more.map((one) => [`git.sig.${one}`, "true"])),
  });

  it.each(["pgp", "rsa", "old", "ed", "rsa-ssh", "nist"])("takes what %s signed", async (name) => {
    expect((await resolve(name, by(name))).pin).toContain(commits[name]);
    expect((await resolve(`tag-${name}`, by(name, "requiresignedtag"))).pin).toContain(
      commits["plain"],
    );
    // The same key as without a demand: only what may be used differs, not what it is.
    expect((await resolve(name, by(name))).cacheKey).toBe((await resolve(name, {})).cacheKey);
  });

  it.each([
    ["a commit that nobody signed", "plain", "pgp", "there is no signature"],
    ["a branch whose last commit another key signed", "main", "pgp", "not SSH"],
    ["a commit that another OpenPGP key signed", "rsa", "pgp", "none of the given keys"],
    ["a commit that another SSH key signed", "ed", "nist", "none of the given keys"],
    ["an OpenPGP signature where SSH keys are given", "pgp", "ed", "armored"],
    ["a short key", "weak", "weak", "too weak"],
    ["a light tag of a commit that nobody signed", "light", "pgp", "there is no signature"],
    ["a tag that nobody signed", "unsigned-tag", "pgp", "tag: there is no signature"],
    ["a tag that another key signed", "tag-rsa", "pgp", "none of the given keys"],
  ])("refuses %s", async (_, ref, name, message) => {
    const asking = resolve(ref, by(name));
    if (ref === "main") await expect(asking).rejects.toMatchObject({ code: "SIGNATURE_INVALID" });
    else await expect(asking).rejects.toMatchObject(refusal(message));
  });

  it("takes the tag's signature or the commit's, unless one of them is demanded", async () => {
    for (const name of ["pgp", "ed"]) await resolve("both", by(name));
    await resolve("both", by("ed", "requiresignedtag"));
    await resolve("both", by("pgp", "ignoresignedtag"));
    await expect(resolve("both", by("pgp", "requiresignedtag"))).rejects.toMatchObject(
      refusal("tag: "),
    );
    await expect(resolve("both", by("ed", "ignoresignedtag"))).rejects.toMatchObject(
      refusal("commit "),
    );
    await expect(resolve("pgp", by("pgp", "requiresignedtag"))).rejects.toMatchObject(
      refusal("tag: there is no signature"),
    );
  });

  it("takes no expired key where that is demanded", async () => {
    await resolve("old", by("old"));
    const asking = resolve("old", by("old", "rejectexpired"));
    await expect(asking).rejects.toMatchObject(refusal("expired on"));
  });

  it("refuses a commit that bears the signature of another", async () => {
    const words = runGit(repository, "cat-file", "commit", commits["ed"] ?? "");
    const forged = execFileSync("git", ["hash-object", "-t", "commit", "-w", "--stdin"], {
      cwd: repository,
      input: `${words.replace("signed by ed", "signed by me")}\n`,
      encoding: "utf8",
    }).trim();
    runGit(repository, "branch", "-f", "forged", forged);
    await expect(resolve("forged", by("ed"))).rejects.toMatchObject(refusal("for other bytes"));
  });

  it("does not take the remote's word for the commit that a signed tag is of", async () => {
    const lying = server.repository("lying");
    runGit(lying, "fetch", "-q", repository, "+refs/*:refs/*", "--update-head-ok");
    const tag = runGit(lying, "rev-parse", "tag-ed");
    writeFileSync(
      join(lying, ".git/packed-refs"),
      `# pack-refs with: peeled fully-peeled sorted \n${tag} refs/tags/tag-ed\n^${commits["nist"]}\n`,
    );
    rmSync(join(lying, ".git/refs/tags/tag-ed"), { force: true });
    await expect(resolve("tag-ed", by("ed"), "lying")).rejects.toMatchObject(refusal("not of"));
  });

  it.each([
    [{ "git.sig.requiresignedtag": "true" }, "pubkey is missing"],
    [{ "git.sig.pubkey": " " }, "pubkey is missing"],
    [{ "git.sig.pubkey": "k", "git.sig.rejectexpired": "1" }, "must be true or false"],
    [{ "git.sig.pubkey": "k", "git.sig.notation": "x" }, "is not known"],
    [
      {
        "git.sig.pubkey": "k",
        "git.sig.requiresignedtag": "true",
        "git.sig.ignoresignedtag": "true",
      },
      "exclude each other",
    ],
  ])("refuses a demand that is not understood: %o", async (attrs, message) => {
    await expect(resolve("main", attrs)).rejects.toMatchObject({
      code: "DEFINITION_INVALID",
      message: expect.stringContaining(message),
    });
  });
});
