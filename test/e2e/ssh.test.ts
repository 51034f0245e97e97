// Repositories over ssh, against a real server: contexts and ADD, agents that are forwarded, keys of hosts.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Session, StepCall } from "../../src/api/index.ts";
import { uncancelled } from "../../src/base/index.ts";
import { createGitSource } from "../../src/engine/source/index.ts";
import type { Snapshotter } from "../../src/storage/snapshot/index.ts";
import { describeWith } from "../kit/needs.ts";
import { openWorld, type World } from "./world.ts";

/** Any address of the loopback network will do; ssh's short form knows no port but 22. */
const host = `127.${77 + (process.pid % 100)}.${process.pid % 250}.${1 + (process.ppid % 250)}`;

describeWith(["root", "runtime", "registry", "bundle", "busybox", "sshd"], "git over ssh", () => {
  let world: World;
  let server: ChildProcess;
  let repository: string;
  let key: string;

  beforeAll(async () => {
    world = await openWorld();
    const ssh = join(world.directory, "ssh");
    mkdirSync(ssh);
    mkdirSync("/run/sshd", { recursive: true });
    key = join(ssh, "key");
    for (const path of [key, join(ssh, "host_key")])
      execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", path]);
    repository = makeRepository(join(world.directory, "repository"));
    server = await startServer(ssh, key);
  }, 300_000);

  afterAll(async () => {
    server?.kill("SIGTERM");
    await world?.[Symbol.asyncDispose]();
  });

  const build = (args: readonly string[]) => {
    const out = join(world.directory, `out-${performance.now()}`);
    return world
      .kiln(["build", "--output", `type=local,dest=${out}`, ...args])
      .then((outcome) => ({ ...outcome, out }));
  };

  it("takes a context from a URL of ssh with a forwarded key", async () => {
    const built = await build(["--ssh", `default=${key}`, `ssh://root@${host}:22${repository}`]);
    expect(built.stderr).not.toContain(world.directory.concat("/ssh/key "));
    expect([built.status, built.stderr]).toEqual([0, built.stderr]);
    expect(readFileSync(join(built.out, "file"), "utf8")).toBe("first\n");
  }, 120_000);

  it("takes a context from ssh's short form, with a branch and a directory", async () => {
    const built = await build(["--ssh", `default=${key}`, `root@${host}:${repository}#topic:sub`]);
    expect([built.status, built.stderr]).toEqual([0, built.stderr]);
    expect(readFileSync(join(built.out, "inner"), "utf8")).toBe("inner\n");
  }, 120_000);

  it("adds a repository over ssh to a stage", async () => {
    const context = world.context({
      Dockerfile: `FROM scratch\nADD --keep-git-dir=true root@${host}:${repository} /src/\n`,
    });
    const built = await build(["--ssh", `default=${key}`, context]);
    expect([built.status, built.stderr]).toEqual([0, built.stderr]);
    expect(readFileSync(join(built.out, "src/file"), "utf8")).toBe("first\n");
    expect(readFileSync(join(built.out, "src/.git/config"), "utf8")).toContain(`root@${host}`);
  }, 120_000);

  it("says how to forward an agent where none is", async () => {
    const built = await build([`root@${host}:${repository}`]);
    expect(built.status).not.toBe(0);
    expect(built.stderr).toContain('no SSH agent "default" is forwarded');
    expect(built.stderr).toContain("--ssh default");
  }, 120_000);

  it("does not use the keys that this machine's user has", async () => {
    const other = join(world.directory, "other-key");
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", other]);
    const home = join(world.directory, "home");
    mkdirSync(join(home, ".ssh"), { recursive: true });
    writeFileSync(join(home, ".ssh/id_ed25519"), readFileSync(key), { mode: 0o600 });
    const env = { HOME: home };
    const address = `ssh://root@${host}:22${repository}#topic`;
    const built = await world.kiln(["build", "--ssh", `default=${other}`, address], { env });
    expect(built.status).not.toBe(0);
    expect(built.stderr).toContain("Permission denied");
  }, 120_000);

  it("refuses a host that has other keys than the definition says", async () => {
    const hostKey = readFileSync(join(world.directory, "ssh/host_key.pub"), "utf8");
    const wrong = readFileSync(`${key}.pub`, "utf8");
    const resolve = (knownHosts: string) => {
      const source = createGitSource({
        directory: join(world.directory, "git"),
        snapshotter: {} as Snapshotter,
      });
      const attrs = {
        "git.fullurl": `root@${host}:${repository}`,
        "git.knownsshhosts": knownHosts,
      };
      const platform = { os: "linux", architecture: "amd64" };
      const id = { scheme: "git", rest: `${host}${repository}`, attrs, platform };
      const session = { secret: async () => undefined } as Partial<Session> as Session;
      return source.resolve(id, session, uncancelled as StepCall);
    };
    await expect(resolve(`${host} ${wrong}`)).rejects.toThrow(/verification failed/);
    // The right key gets as far as to the missing agent.
    await expect(resolve(`${host} ${hostKey}`)).rejects.toThrow(/Permission denied/);
  });
});

function makeRepository(directory: string): string {
  const git = (...args: string[]) =>
    execFileSync("git", ["-c", "user.name=t", "-c", "user.email=t@t", "-C", directory, ...args]);
  mkdirSync(join(directory, "sub"), { recursive: true });
  git("init", "-q", "-b", "main");
  writeFileSync(join(directory, "Dockerfile"), "FROM scratch\nCOPY file /\n");
  writeFileSync(join(directory, "file"), "first\n");
  git("add", ".");
  git("commit", "-qm", "first");
  git("checkout", "-qb", "topic");
  writeFileSync(join(directory, "sub/Dockerfile"), "FROM scratch\nCOPY inner /\n");
  writeFileSync(join(directory, "sub/inner"), "inner\n");
  git("add", ".");
  git("commit", "-qm", "inner");
  git("checkout", "-q", "main");
  return directory;
}

async function startServer(directory: string, key: string): Promise<ChildProcess> {
  const config = join(directory, "sshd_config");
  const keys = join(directory, "authorized_keys");
  writeFileSync(keys, readFileSync(`${key}.pub`), { mode: 0o600 });
  writeFileSync(
    config,
    [
      `ListenAddress ${host}:22`,
      `HostKey ${join(directory, "host_key")}`,
      `AuthorizedKeysFile ${keys}`,
      `PidFile ${join(directory, "pid")}`,
      "StrictModes no",
      "UsePAM no",
      "PasswordAuthentication no",
      "PermitRootLogin prohibit-password",
    ].join("\n"),
  );
  const server = spawn("/usr/sbin/sshd", ["-D", "-e", "-f", config], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  server.stderr?.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  for (let tries = 0; tries < 100; tries++) {
    if (server.exitCode !== null) throw new Error(`sshd ended: ${said}`);
    if (await answers()) return server;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`sshd does not answer: ${said}`);
}

function answers(): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(22, host);
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}
