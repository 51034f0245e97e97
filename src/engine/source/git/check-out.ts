// Laying a commit's files into a directory: as they are, below one directory, with or without .git.
import { lstatSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Call, KilnError, resolveInRoot, temporaryName } from "../../../base/index.ts";
import { loadSyscalls } from "../../../storage/snapshot/index.ts";
import type { RemoteAccess } from "./access.ts";
import { git } from "./git-process.ts";

export interface CheckOut {
  /** Bare repository that has the commit. */
  readonly repository: string;
  readonly remote: string;
  readonly commit: string;
  /** The full name of what was asked for, or the commit. */
  readonly fetch: string;
  readonly subdir: string;
  readonly keepGitDir: boolean;
  readonly submodules: boolean;
  readonly mtime: "checkout" | "commit";
  /** For submodules. */
  readonly access: Pick<RemoteAccess, "settings" | "env">;
  /** Existing empty directory. */
  readonly target: string;
}

/** Throws `GIT_FAILED`; `subdir` is resolved inside the repository, links included, and must be a directory. */
export async function checkOut(wanted: CheckOut, call: Call): Promise<void> {
  const { target, commit, remote } = wanted;
  const doing = `checking out ${remote}#${commit}`;
  const whole = wanted.subdir === "" ? target : join(target, temporaryName());
  mkdirSync(whole, { recursive: true });
  const inside = (args: readonly string[], more: Readonly<Record<string, string>> = {}) =>
    git(
      ["-C", whole, ...args],
      { doing, settings: { ...wanted.access.settings, ...more }, env: wanted.access.env },
      call,
    );
  await inside(["init", "--quiet", "--template=", "."]);
  await git(
    [
      "-C",
      whole,
      "fetch",
      "--quiet",
      "--no-tags",
      "--no-write-fetch-head",
      "--depth=1",
      wanted.repository,
      commit,
    ],
    // The file protocol is for this one command: from the bare repository beside it.
    {
      doing,
      env: { GIT_ALLOW_PROTOCOL: "file" },
      settings: { "uploadpack.allowAnySHA1InWant": "true" },
    },
    call,
  );
  await inside(["checkout", "--quiet", "--force", "--detach", commit]);
  if (wanted.submodules && lstatSync(join(whole, ".gitmodules"), { throwIfNoEntry: false })) {
    await inside(["remote", "add", "origin", remote]);
    await inside(["submodule", "update", "--init", "--recursive", "--depth=1", "--quiet"]);
  }
  if (wanted.mtime === "commit") await stampTimes(wanted, whole, call);
  if (wanted.keepGitDir) await tidyGitDir(wanted, inside);
  else removeGitDirs(whole);
  if (whole !== target) moveSubdir(whole, wanted);
}

type Git = (args: readonly string[]) => Promise<string>;

/** What stays in .git is what a clone of this one commit would have. */
async function tidyGitDir({ remote, fetch }: CheckOut, inside: Git): Promise<void> {
  const remotes = await inside(["remote"]);
  if (!remotes.split("\n").includes("origin")) await inside(["remote", "add", "origin", remote]);
  const [, kind, name] = /^refs\/(heads|tags)\/(.+)$/.exec(fetch) ?? [];
  if (kind !== undefined) await inside(["update-ref", fetch, "HEAD"]);
  if (kind === "heads") await inside(["update-ref", `refs/remotes/origin/${name}`, "HEAD"]);
}

/** Submodules have a .git of their own, a file that would name paths of this machine. */
function removeGitDirs(directory: string): void {
  rmSync(join(directory, ".git"), { recursive: true, force: true });
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (entry.isDirectory()) removeGitDirs(join(directory, entry.name));
  }
}

function moveSubdir(whole: string, { target, subdir, remote, commit, keepGitDir }: CheckOut): void {
  const found = resolveInRoot(whole, subdir, { followLast: true });
  if (!lstatSync(found, { throwIfNoEntry: false })?.isDirectory()) {
    throw new KilnError(
      "GIT_FAILED",
      `${remote}#${commit} has no directory ${JSON.stringify(subdir)}`,
    );
  }
  const gitDir = join(whole, ".git");
  const kept = keepGitDir && found !== whole ? gitDir : undefined;
  for (const name of readdirSync(found)) renameSync(join(found, name), join(target, name));
  if (kept) renameSync(kept, join(target, ".git"));
  rmSync(whole, { recursive: true, force: true });
}

/** Every file gets the commit's time. */
async function stampTimes(
  { commit, repository }: CheckOut,
  directory: string,
  call: Call,
): Promise<void> {
  const doing = `reading the time of ${commit}`;
  const seconds = await git(
    ["-C", repository, "show", "-s", "--format=%ct", commit],
    { doing },
    call,
  );
  const time = BigInt(seconds.trim()) * 1_000_000_000n;
  const syscalls = loadSyscalls();
  const visit = (path: string) => {
    if (lstatSync(path).isDirectory())
      for (const name of readdirSync(path)) visit(join(path, name));
    syscalls.utimensat(path, time, time);
  };
  visit(directory);
}
