// Real git repositories behind a real git server on loopback.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";

export interface GitServer extends Disposable {
  readonly port: number;
  /** Makes an empty repository that is served under this name; answers where it lies. */
  repository(name: string): string;
}

/** Serves what lies below `directory`, which must exist. */
export async function openGitServer(directory: string): Promise<GitServer> {
  const port = await freePort();
  const daemon: ChildProcess = spawn(
    "git",
    [
      "daemon",
      "--export-all",
      "--reuseaddr",
      `--base-path=${directory}`,
      `--port=${port}`,
      "--listen=127.0.0.1",
    ],
    { stdio: "ignore" },
  );
  for (let tries = 0; tries < 100 && !(await answers(port)); tries++)
    await new Promise((resolve) => setTimeout(resolve, 50));
  return {
    port,
    repository(name) {
      const path = join(directory, name);
      mkdirSync(path, { recursive: true });
      runGit(path, "init", "-q", "-b", "main");
      return path;
    },
    [Symbol.dispose]: () => void daemon.kill(),
  };
}

/** Runs git in `cwd` as somebody who is nobody, at a fixed time; answers what it prints. */
export function runGit(cwd: string, ...args: readonly string[]): string {
  const settings = { "user.name": "t", "user.email": "t@t", "protocol.file.allow": "always" };
  return execFileSync(
    "git",
    [...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]), ...args],
    {
      cwd,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
      env: {
        ...process.env,
        GIT_AUTHOR_DATE: "1600000000 +0000",
        GIT_COMMITTER_DATE: "1600000000 +0000",
      },
    },
  ).trim();
}

/** Writes files and commits everything; answers the commit. `more` are options of `git commit`. */
export function commitFiles(
  repository: string,
  files: Readonly<Record<string, string>>,
  message: string,
  more: readonly string[] = [],
): string {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(repository, path, ".."), { recursive: true });
    writeFileSync(join(repository, path), text);
  }
  runGit(repository, "add", "-A");
  runGit(repository, "commit", "-qm", message, ...more);
  return runGit(repository, "rev-parse", "HEAD");
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}
